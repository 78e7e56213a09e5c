// Shows the chosen picture, and sends it.
"use strict";

const form = document.getElementById("upload");
const file = document.getElementById("file");
const camera = document.getElementById("camera");
const preview = document.getElementById("preview");
const notice = document.getElementById("notice");
const sent = document.getElementById("sent");
const button = form.querySelector("button");
// The id stays the same while the same picture is sent again, so it is one receipt.
let id = form.dataset.id;

function say(text) {
  notice.textContent = text;
  notice.hidden = !text;
}

async function show(chosen) {
  id = form.dataset.id;
  delete form.dataset.id;
  // Another picture is another receipt. Without HTTPS there is no randomUUID.
  id ??= "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
    (digit ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (digit / 4)))).toString(16));
  preview.hidden = true;
  say("");
  if (!chosen?.type.startsWith("image/")) return;
  try {
    const picture = await createImageBitmap(chosen);
    const scale = Math.min(1, 480 / Math.max(picture.width, picture.height));
    preview.width = picture.width * scale;
    preview.height = picture.height * scale;
    preview.getContext("2d").drawImage(picture, 0, 0, preview.width, preview.height);
    preview.hidden = false;
  } catch {
    say("This picture cannot be shown. It may be damaged.");
  }
}

function chosen() {
  return file.files[0];
}

camera.addEventListener("change", () => {
  if (!camera.files.length) return;
  file.files = camera.files;
  show(chosen());
});
file.addEventListener("change", () => show(chosen()));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (chosen().size > 10_000_000) {
    say("The file has more than 10 MB. Send a smaller one.");
    return;
  }
  const request = new XMLHttpRequest();
  request.open("PUT", `/receipts/${id}`);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.onprogress = (progress) => {
    sent.value = (100 * progress.loaded) / progress.total;
  };
  request.onloadend = () => {
    button.disabled = false;
    sent.hidden = true;
    if (request.status === 200 || request.status === 201) {
      location.assign(`/receipts/${id}`);
    } else {
      say(request.response?.detail ?? "The picture was not sent. Try again: it will be the same receipt.");
    }
  };
  say("");
  button.disabled = true;
  sent.value = 0;
  sent.hidden = false;
  request.send(chosen());
});
