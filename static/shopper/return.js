// The page a shopper returns to: asks how far the payment is, and moves on when it is known.
"use strict";

(function () {
  const POLL_MS = 1000;
  const SLOW_MS = 20000;
  const STAYING = "staying";
  const progress = document.getElementById("progress");
  const since = Date.now();

  async function ask() {
    try {
      const answer = await fetch(progress.dataset.statusUrl, { cache: "no-store" });
      const state = await answer.json();
      if (state.status !== "waiting") {
        window.location.reload();
        return;
      }
    } catch (error) {
      console.debug("not reachable, asking again", error);
    }
    if (Date.now() - since > SLOW_MS) {
      document.getElementById("slow").hidden = false;
    }
    window.setTimeout(ask, POLL_MS);
  }

  /** The notice of a review stays long enough to be read, and for as long as the shopper wants. */
  function countDown(notice) {
    const seconds = document.getElementById("seconds");
    const onward = document.getElementById("onward");
    let left = Number(seconds.textContent);
    const ticking = window.setInterval(() => {
      left -= 1;
      seconds.textContent = String(Math.max(left, 0));
      if (left > 0) {
        return;
      }
      window.clearInterval(ticking);
      window.location.replace(onward.href);
    }, 1000);

    function stay() {
      window.clearInterval(ticking);
      window.history.replaceState(STAYING, ""); // reloading the page does not count again
      notice.hidden = true;
      document.getElementById("staying").hidden = false;
      onward.focus();
    }

    document.getElementById("stay").addEventListener("click", stay);
    // Who comes back with the browser's button has seen the order already.
    window.addEventListener("pageshow", (event) => event.persisted && stay());
    notice.hidden = false;
    if (window.history.state === STAYING) {
      stay();
    }
  }

  const notice = document.getElementById("moving-on");
  if (progress.dataset.status === "waiting") {
    window.setTimeout(ask, POLL_MS);
  } else if (notice) {
    countDown(notice);
  }
})();
