// Keeps the receipt's page current. Without it, the page refreshes itself.
"use strict";

const main = document.querySelector("main");
const state = document.getElementById("state");
const percent = document.getElementById("percent");
const heldUp = document.getElementById("held-up");
const steps = document.getElementById("steps");

function show(receipt) {
  if (receipt.verdict) {
    location.reload();
    return;
  }
  if (state.textContent !== receipt.state) state.textContent = receipt.state;
  state.dataset.state = receipt.state;
  percent.value = receipt.percent;
  heldUp.textContent = receipt.held_up ?? "";
  heldUp.hidden = !receipt.held_up;
  steps.replaceChildren(...receipt.steps.map((step) => {
    const item = document.createElement("li");
    item.textContent = step.name;
    return item;
  }));
}

// A stream holds a connection, and a browser has six for a site: only a page that is shown has one.
let events = null;

function follow() {
  if (events || document.hidden || main.dataset.settled === "true") return;
  const opened = new EventSource(`${location.pathname}/events`);
  events = opened;
  opened.onmessage = (event) => show(JSON.parse(event.data));
  opened.onerror = () => {
    // The browser reconnects by itself unless it was refused, or the receipt has its verdict.
    if (opened.readyState !== EventSource.CLOSED) return;
    setTimeout(() => document.hidden || events !== opened || location.reload(), 2000);
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
