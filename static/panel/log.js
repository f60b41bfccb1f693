// Progressive enhancement only: copying a reference, and an export that shows how far it is.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const shown = document.getElementById(button.dataset.copy);
    const copied = (await copyText(shown.textContent.trim())) || copySelection(shown);
    if (copied) {
      button.textContent = button.dataset.copied;
    }
  });
}

// The control panel may not allow its frames the clipboard.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

// The reference stays selected, so that Ctrl-C works where this does not.
function copySelection(shown) {
  getSelection().selectAllChildren(shown);
  return document.execCommand("copy");
}

const link = document.getElementById("export");
const box = document.getElementById("export-progress");
if (link && box && window.ReadableStream) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    if (!link.hasAttribute("aria-busy")) {
      exportWithProgress();
    }
  });
}

async function exportWithProgress() {
  const stop = new AbortController();
  const cancel = box.querySelector("button");
  const give = () => stop.abort();
  cancel.addEventListener("click", give);
  begin(cancel);
  try {
    const reply = await fetch(link.href, { signal: stop.signal });
    if (!reply.ok) {
      throw new Error(String(reply.status));
    }
    const { parts, entries } = await read(reply);
    save(parts, fileName(reply));
    say("done", entries, 100);
  } catch (error) {
    if (error.name === "AbortError") {
      box.hidden = true;
    } else {
      say("failed", 0, 0);
    }
  } finally {
    cancel.removeEventListener("click", give);
    cancel.hidden = true;
    link.removeAttribute("aria-busy");
  }
}

function begin(cancel) {
  link.setAttribute("aria-busy", "true");
  box.hidden = false;
  cancel.hidden = false;
  say("running", 0, 0);
}

// Newest first: the dates of the lines say how far we are on the way to the oldest entry.
async function read(reply) {
  const reader = reply.body.getReader();
  const decoder = new TextDecoder();
  const oldest = Date.parse(reply.headers.get("X-Export-Since") || "");
  const parts = [];
  let newest = NaN;
  let entries = 0;
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return { parts, entries };
    }
    parts.push(value);
    const text = rest + decoder.decode(value, { stream: true });
    const whole = text.lastIndexOf("\n") + 1; // what comes after it is half a line
    rest = text.slice(whole);
    const dates = text.slice(0, whole).match(/^\d{4}-\d\d-\d\dT[\d:+-]+(?=,)/gm);
    if (dates) {
      entries += dates.length;
      newest = newest || Date.parse(dates[0]);
      const reached = Date.parse(dates[dates.length - 1]);
      const share = newest > oldest ? (newest - reached) / (newest - oldest) : 0;
      say("running", entries, Math.min(99, 100 * share));
    }
  }
}

function say(what, entries, percent) {
  const count = entries.toLocaleString(document.documentElement.lang);
  box.querySelector("progress").value = percent;
  box.querySelector("p").textContent = box.dataset[what].replace("%s", count);
}

function fileName(reply) {
  const found = /filename="([^"]+)"/.exec(reply.headers.get("Content-Disposition") || "");
  return found ? found[1] : "sequra.csv";
}

function save(parts, name) {
  const url = URL.createObjectURL(new Blob(parts, { type: "text/csv" }));
  const file = document.createElement("a");
  file.href = url;
  file.download = name;
  document.body.append(file);
  file.click();
  file.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
