// Keeps the order's page current. Without it, the page refreshes itself.
"use strict";

const main = document.querySelector("main");
const timeline = document.getElementById("timeline");
const coupon = document.getElementById("coupon");
const copy = document.getElementById("copy");

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function clock(at) {
  return at.split("T")[1].replace("Z", "");
}

function drawn(station) {
  const item = element("li", "", { "data-step": station.name, "data-state": station.state });
  item.append(element("strong", station.name), " ");
  item.append(element("span", station.word === station.name ? "" : station.word, { class: "word" }), " ");
  if (station.at) item.append(element("time", clock(station.at), { datetime: station.at }));
  const attempts = element("ul", "");
  attempts.append(...station.attempts.map((attempt) => element("li", attempt)));
  item.append(attempts);
  return item;
}

function show(order) {
  order.stations.forEach((station, index) => {
    const present = timeline.children[index];
    const item = drawn(station);
    // Only what changed is replaced, so that only that is read aloud.
    if (!present) timeline.append(item);
    else if (JSON.stringify(station) !== present.dataset.seen) present.replaceWith(item);
    else return;
    item.dataset.seen = JSON.stringify(station);
  });
  if (order.coupon) {
    document.getElementById("percent").textContent = order.coupon.percent;
    document.getElementById("code").textContent = order.coupon.code;
    coupon.hidden = false;
  }
  main.dataset.final = order.is_final;
}

async function copyCode() {
  const code = document.getElementById("code");
  let copied = true;
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Without HTTPS there is no such clipboard; the selection serves.
    getSelection().selectAllChildren(code);
    copied = document.execCommand("copy");
  }
  coupon.querySelector("[role=status]").textContent = copied ? "Copied" : "Press Ctrl-C to copy";
}

copy.hidden = false;
copy.addEventListener("click", copyCode);

if (main.dataset.final !== "true") {
  const events = new EventSource(`${location.pathname}/events`);
  events.onmessage = (event) => {
    const order = JSON.parse(event.data);
    show(order);
    if (order.is_final) events.close();
  };
  events.onerror = () => {
    // The browser comes back by itself, unless it was refused.
    if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
  };
}
