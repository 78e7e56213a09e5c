// Keeps a page current, and sends its forms without leaving it. Without it, pages refresh themselves.
"use strict";

const main = document.getElementById("main");
const said = document.getElementById("said");
const pause = document.getElementById("pause");
// The server has escaped what it sends.
const trusted = window.trustedTypes?.createPolicy("console", { createHTML: (html) => html });

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = trusted ? trusted.createHTML(html) : html;
  return template.content;
}

function key(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  return node.id || node.dataset.key || (node.dataset.order ? node.dataset.order + node.dataset.service : "");
}

// Changes what differs, so that the focus, what was typed and what was opened stay.
function morph(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if ("keep" in old.dataset) return;
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  morphChildren(old, fresh);
}

function morphChildren(old, fresh) {
  const wanted = new Set([...fresh.children].map(key));
  for (const child of [...old.children]) if (key(child) && !wanted.has(key(child))) child.remove();
  const known = new Map([...old.children].map((child) => [key(child), child]));
  let at = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    let same = key(next) ? known.get(key(next)) : at;
    // Without a key, the next one of its kind: something before it may have come or gone.
    while (!key(next) && same && (key(same) || same.nodeName !== next.nodeName)) same = same.nextSibling;
    if (!same) {
      old.insertBefore(next, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else old.insertBefore(same, at);
    morph(same, next);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function show(html) {
  const focused = document.activeElement;
  const place = main.contains(focused) && focused.closest("[id]")?.id;
  morphChildren(main, parsed(html));
  // What had the focus may be gone: the next best thing is beside it.
  if (place && document.activeElement === document.body) {
    document.getElementById(place)?.querySelector("button, a, input:not([type=hidden])")?.focus();
  }
}

let changes = null;

function follow() {
  if (changes || document.hidden || pause.getAttribute("aria-pressed") === "true") return;
  changes = new EventSource(location.href);
  changes.onmessage = (event) => show(JSON.parse(event.data));
}

function rest() {
  changes?.close();
  changes = null;
}

pause.hidden = false;
pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", paused);
  if (paused) rest();
  else follow();
});

document.addEventListener("visibilitychange", () => (document.hidden ? rest() : follow()));
addEventListener("pagehide", rest);
addEventListener("pageshow", follow);
follow();

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.getAttribute("method") !== "post") return;
  event.preventDefault();
  const to = event.submitter?.getAttribute("formaction") ?? form.getAttribute("action");
  said.textContent = "…";
  try {
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const answer = await fetch(to, { method: "POST", headers: { accept: "text/plain" }, body });
    said.textContent = await answer.text();
    said.classList.toggle("wrong", !answer.ok);
    // What asked first asks again next time.
    if (answer.ok) form.querySelector("details[open]")?.removeAttribute("open");
  } catch {
    said.textContent = "The console does not answer.";
    said.classList.add("wrong");
  }
});

document.addEventListener("input", (event) => {
  if (event.target.type === "range") event.target.parentElement.querySelector("output").textContent = event.target.value;
});

document.addEventListener("click", async (event) => {
  const from = event.target.dataset?.copy;
  if (!from) return;
  const text = document.querySelector(from).innerText;
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = `Copied ${text.split("\n").length} lines.`;
  } catch {
    getSelection().selectAllChildren(document.querySelector(from));
    said.textContent = "Press Ctrl-C to copy.";
  }
});
