// The inbox follows the conversations while it is open.
"use strict";

(() => {
  const inbox = document.querySelector(".inbox");
  if (!inbox) return;

  const toEnd = () => {
    const body = document.querySelector(".talk-body");
    if (body) body.scrollTop = body.scrollHeight;
  };

  async function refresh(part) {
    const place = document.getElementById(part);
    if (!place || !place.dataset.source) return;
    const answer = await fetch(place.dataset.source, { headers: { Accept: "text/html" } });
    if (answer.redirected || answer.status === 401) { window.location.reload(); return; }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(part);
    if (fresh && fresh.innerHTML !== place.innerHTML) {
      place.replaceChildren(...fresh.childNodes);
      if (part === "thread") toEnd();
    }
  }

  // Several changes in one moment are one refresh.
  const waiting = new Map();
  function soon(part) {
    if (waiting.has(part)) return;
    waiting.set(part, window.setTimeout(() => { waiting.delete(part); refresh(part); }, 80));
  }

  const feed = new EventSource("/inbox/events?after=" + inbox.dataset.after);
  feed.addEventListener("conversation", (event) => {
    soon("queue");
    if (JSON.parse(event.data).id === Number(inbox.dataset.conversation)) ["thread", "owner", "turn"].forEach(soon);
  });
  window.addEventListener("pagehide", () => feed.close());
  window.setInterval(() => soon("queue"), 30000);
  toEnd();
})();
