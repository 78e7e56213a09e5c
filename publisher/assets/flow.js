// Moves the dots. Without it, the page refreshes itself.
"use strict";

const EVERY_MS = 1000;
const SVG = "http://www.w3.org/2000/svg";
const dots = document.getElementById("dots");

function key(order, service) {
  return `${order} ${service}`;
}

function place(circle, dot) {
  circle.dataset.state = dot.state;
  circle.style.transform = `translate(${dot.x}px, ${dot.y}px)`;
}

function made(dot) {
  const circle = document.createElementNS(SVG, "circle");
  const title = document.createElementNS(SVG, "title");
  title.textContent = dot.amount;
  circle.append(title);
  circle.setAttribute("r", 6);
  circle.dataset.order = dot.order;
  circle.dataset.service = dot.service;
  // Every dot starts at the publisher.
  circle.style.transform = "translate(77px, 65px)";
  dots.append(circle);
  // Without drawing it there once, the browser would not animate the way.
  circle.getBoundingClientRect();
  return circle;
}

function show(flow) {
  const present = new Map();
  for (const circle of dots.children) present.set(key(circle.dataset.order, circle.dataset.service), circle);
  for (const dot of flow.dots) {
    const known = key(dot.order, dot.service);
    place(present.get(known) ?? made(dot), dot);
    present.delete(known);
  }
  present.forEach((circle) => circle.remove());
  const drawn = document.querySelectorAll("[data-lane]");
  // A new subscriber needs a new picture.
  if (drawn.length !== flow.lanes.length) return location.reload();
  flow.lanes.forEach((lane, index) => update(drawn[index], lane));
}

function update(drawn, lane) {
  const lines = drawn.querySelectorAll(".filter tspan");
  if (drawn.dataset.lane !== lane.service || lines.length !== lane.lines.length) return location.reload();
  drawn.querySelector(".depth").textContent = lane.queue;
  drawn.querySelector(".dead").textContent = lane.letters;
  lane.lines.forEach((line, index) => (lines[index].textContent = line));
}

async function look() {
  try {
    // Nobody sees a hidden page.
    const answer = !document.hidden && await fetch("/flow", { headers: { accept: "application/json" } });
    if (answer && answer.ok) show(await answer.json());
  } catch {
    // The next attempt may succeed.
  }
  setTimeout(look, EVERY_MS);
}

look();
