// Keeps the order's page current. Without it, the page refreshes itself.
"use strict";

const main = document.querySelector("main");
const timeline = document.getElementById("timeline");
const attachments = document.getElementById("attachments");

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function clock(at) {
  return at.split("T")[1].replace("Z", "");
}

function drawnStation(station) {
  const item = element("li", "", { "data-step": station.name, "data-state": station.state });
  item.append(element("strong", station.name), " ");
  item.append(element("span", station.word === station.name ? "" : station.word, { class: "word" }), " ");
  if (station.at) item.append(element("time", clock(station.at), { datetime: station.at }));
  const attempts = element("ul", "");
  attempts.append(...station.attempts.map((attempt) => element("li", attempt)));
  item.append(attempts);
  return item;
}

function drawnAttachment(attachment) {
  const item = element("li", "");
  item.append(element("span", `${attachment.label}:`));
  if (attachment.code) item.append(" ", element("code", attachment.code));
  if (attachment.link) item.append(" ", element("a", attachment.link, { href: attachment.link }));
  return item;
}

// Only what changed is replaced, so that only that is read aloud.
function update(list, values, drawn) {
  values.forEach((value, index) => {
    const present = list.children[index];
    const seen = JSON.stringify(value);
    if (present && present.dataset.seen === seen) return;
    const item = drawn(value);
    item.dataset.seen = seen;
    if (present) present.replaceWith(item);
    else list.append(item);
  });
}

function show(order) {
  update(timeline, order.stations, drawnStation);
  update(attachments, order.stations.flatMap((station) => station.attachments), drawnAttachment);
  addCopyButtons();
  main.dataset.done = order.is_done;
}

async function copy(code, status) {
  let copied = true;
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // The clipboard needs HTTPS; copying the selection does not.
    getSelection().selectAllChildren(code);
    copied = document.execCommand("copy");
  }
  status.textContent = copied ? "Copied" : "Press Ctrl-C to copy";
}

function addCopyButtons() {
  for (const code of attachments.querySelectorAll("code:not(.copyable)")) {
    code.classList.add("copyable");
    const button = element("button", "Copy", { type: "button" });
    const status = element("span", "", { role: "status" });
    button.addEventListener("click", () => copy(code, status));
    code.after(" ", button, " ", status);
  }
}

addCopyButtons();

// A stream holds a connection, and a browser has six for a site: only a page that is shown has one.
let events = null;

function follow() {
  if (events || document.hidden || main.dataset.settled === "true") return;
  const opened = new EventSource(`${location.pathname}/events`);
  events = opened;
  opened.onmessage = (event) => show(JSON.parse(event.data));
  opened.onerror = () => {
    // The browser reconnects by itself unless it was refused, or the order is settled.
    if (opened.readyState !== EventSource.CLOSED) return;
    if (main.dataset.done === "true") main.dataset.settled = "true";
    else setTimeout(() => document.hidden || events !== opened || location.reload(), 5000);
  };
}

function rest() {
  events?.close();
  events = null;
}

document.addEventListener("visibilitychange", () => (document.hidden ? rest() : follow()));
addEventListener("pagehide", rest);
addEventListener("pageshow", follow);
follow();
