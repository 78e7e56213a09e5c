// A form that the browser kept and shows again, after Back, is for another order: it gets a new id.
// Without this, sending it unchanged shows the first order, and the server notices any change.
"use strict";

// `crypto.randomUUID` needs HTTPS.
function randomUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelector("input[name=id]").value = randomUuid();
});
