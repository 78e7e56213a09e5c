"""Sends webhooks as the specification's Python library signs them, and prints each answer."""

import json
import os
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from standardwebhooks.webhooks import Webhook

url, order = sys.argv[1:]
new, old = Webhook(os.environ["NEW"]), Webhook(os.environ["OLD"])
other = Webhook("whsec_bm90IHRoZSBzZWNyZXQgb2YgcGF5bWVudHM=")
now = datetime.now(timezone.utc)
minutes = timedelta(minutes=1)
data = {"payment_id": "python", "order_id": order, "amount": "80", "note": "ä 📦"}
event = {"type": "payment.received", "timestamp": now.isoformat(), "data": data}
body = json.dumps(event, ensure_ascii=False)


def send(name, id, signed, at=now, signature=None, sent=body, without=None):
    headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature or signed.sign(id, at, body),
    }
    headers.pop(without, None)
    request = urllib.request.Request(url, sent.encode(), headers, method="POST")
    try:
        status = urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        status = error.code
    print(f"{name}: {status}")


send("genuine", "python_1", new)
send("again", "python_1", new)
send("old secret", "python_2", old)
both = f"{other.sign('python_3', now, body)} {old.sign('python_3', now, body)}"
send("both secrets", "python_3", new, signature=both)
send("other secret", "python_4", other)
send("other body", "python_4", new, sent=body.replace("80", "90"))
send("six minutes old", "python_4", new, at=now - 6 * minutes)
send("six minutes ahead", "python_4", new, at=now + 6 * minutes)
send("no signature", "python_4", new, without="webhook-signature")
send("no id", "python_4", new, without="webhook-id")
