// Sends webhooks as the specification's Node library signs them, and prints each answer.
"use strict";

const { Webhook } = require("standardwebhooks");

const [url, order] = process.argv.slice(2);
const [fresh, old] = [process.env.NEW, process.env.OLD].map((secret) => new Webhook(secret));
const other = new Webhook("whsec_bm90IHRoZSBzZWNyZXQgb2YgcGF5bWVudHM=");
const now = new Date();
const later = (minutes) => new Date(now.getTime() + minutes * 60_000);
const body = JSON.stringify({
  type: "payment.received",
  timestamp: now.toISOString(),
  data: { payment_id: "node", order_id: order, amount: "80", note: "ä 📦" },
});

async function send(name, id, signed, { at = now, signature, sent = body, without } = {}) {
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
    "webhook-signature": signature ?? signed.sign(id, at, body),
  };
  delete headers[without];
  const { status } = await fetch(url, { method: "POST", headers, body: sent });
  console.log(`${name}: ${status}`);
}

(async () => {
  await send("genuine", "node_1", fresh);
  await send("again", "node_1", fresh);
  await send("old secret", "node_2", old);
  const both = `${other.sign("node_3", now, body)} ${old.sign("node_3", now, body)}`;
  await send("both secrets", "node_3", fresh, { signature: both });
  await send("other secret", "node_4", other);
  await send("other body", "node_4", fresh, { sent: body.replace("80", "90") });
  await send("six minutes old", "node_4", fresh, { at: later(-6) });
  await send("six minutes ahead", "node_4", fresh, { at: later(6) });
  await send("no signature", "node_4", fresh, { without: "webhook-signature" });
  await send("no id", "node_4", fresh, { without: "webhook-id" });
})();
