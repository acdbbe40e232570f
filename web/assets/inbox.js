// The inbox follows the conversations while it is open.
"use strict";

(() => {
  const inbox = document.getElementById("inbox");
  if (!inbox) return;

  const toEnd = () => {
    const body = document.querySelector(".talk-body");
    if (body) body.scrollTop = body.scrollHeight;
  };

  function replace(part, page) {
    const old = document.getElementById(part);
    const fresh = page.getElementById(part);
    if (!old || !fresh) return;
    // Footer and head stay while nothing about the owner changed: somebody types there.
    if (old.dataset.state && old.dataset.state === fresh.dataset.state) return;
    if (old.innerHTML === fresh.innerHTML) return;
    const draft = old.querySelector("textarea");
    old.replaceWith(document.importNode(fresh, true));
    const field = document.querySelector(`#${part} textarea`);
    if (draft && field) { field.value = draft.value; field.focus(); }
    if (part === "thread") toEnd();
  }

  let running = false;
  let again = false;
  async function refresh() {
    if (running) { again = true; return; }
    running = true;
    try {
      const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
      if (answer.redirected) { window.location.reload(); return; }
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        ["queue", "thread", "owner", "turn"].forEach((part) => replace(part, page));
        const count = document.querySelector(".rail a[href='/inbox']");
        const fresh = page.querySelector(".rail a[href='/inbox']");
        if (count && fresh) count.replaceChildren(...fresh.childNodes);
      }
    } catch {
      // The feed reconnects by itself and then asks again.
    } finally {
      running = false;
      if (again) { again = false; refresh(); }
    }
  }

  // Several changes in one moment are one refresh.
  let due = 0;
  function soon() {
    window.clearTimeout(due);
    due = window.setTimeout(refresh, 60);
  }

  const feed = new EventSource("/inbox/events?after=" + inbox.dataset.after);
  feed.addEventListener("conversation", soon);
  window.addEventListener("pagehide", () => feed.close());
  window.setInterval(soon, 30000);

  let touched = 0;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form.composer");
    if (!form || Date.now() - touched < 60000) return;
    touched = Date.now();
    fetch(form.dataset.touch, { method: "POST" }).catch(() => {});
  });

  // After the server said "too late" the address is that of the act; reading is by GET.
  const home = "/inbox/" + inbox.dataset.conversation;
  if (inbox.dataset.conversation && window.location.pathname !== home) window.history.replaceState(null, "", home);
  const field = document.querySelector("#turn textarea");
  if (field && window.matchMedia("(min-width: 761px)").matches) field.focus();
  toEnd();
})();
