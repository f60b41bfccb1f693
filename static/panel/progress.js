// Progressive enhancement only: shows how far work in the background is, and reloads at its end.
"use strict";

for (const box of document.querySelectorAll("[data-progress]")) {
  follow(box);
}

async function follow(box) {
  const bar = box.querySelector("progress");
  const text = box.querySelector("p");
  for (let pause = 1000; ; pause = Math.min(pause + 500, 5000)) {
    await new Promise((go) => setTimeout(go, pause));
    const found = await ask(box.dataset.progress);
    if (found && !found.running) {
      location.reload();
      return;
    }
    if (found && found.total) {
      const language = document.documentElement.lang;
      bar.value = found.percent;
      text.textContent = box.dataset.text
        .replace("%s", found.done.toLocaleString(language))
        .replace("%t", found.total.toLocaleString(language));
    }
  }
}

// A network that is away for a moment is asked again.
async function ask(url) {
  try {
    const reply = await fetch(url, { headers: { Accept: "application/json" } });
    return reply.ok ? await reply.json() : null;
  } catch {
    return null;
  }
}
