// The customer's side of the web chat. Without this file the page is a plain form.
"use strict";

(() => {
  const chat = document.querySelector(".chat");
  const log = document.getElementById("log");
  const form = document.getElementById("say");
  const field = form.elements.text;
  const words = chat.dataset;

  const toEnd = () => { log.scrollTop = log.scrollHeight; };
  const typing = document.getElementById("typing");
  let quiet = 0;

  function waitForAnswer() {
    typing.hidden = false;
    window.clearTimeout(quiet);
    quiet = window.setTimeout(() => { typing.hidden = true; }, 12000);
    toEnd();
  }

  function bubble(text) {
    const item = document.createElement("li");
    item.className = "bubble customer";
    const body = document.createElement("div");
    body.className = "text";
    body.textContent = text;
    const state = document.createElement("span");
    state.className = "state";
    state.textContent = words.sending;
    item.append(body, state);
    document.getElementById("thread").append(item);
    toEnd();
    return item;
  }

  async function post(fields, item) {
    const state = item.querySelector(".state");
    state.className = "state";
    state.textContent = words.sending;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields), headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      state.textContent = words.sent;
      waitForAnswer();
      await refresh();
    } catch {
      state.className = "state bad";
      state.textContent = words.failed + " ";
      const again = document.createElement("button");
      again.type = "button";
      again.className = "plain";
      again.textContent = words.retry;
      // The same id goes again: a message that did arrive is not stored twice.
      again.addEventListener("click", () => post(fields, item));
      state.append(again);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    post({ text, id: crypto.getRandomValues(new Uint32Array(4)).join("-") }, bubble(text));
    field.focus();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });

  log.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (!button) return;
    const fields = Object.fromEntries(new FormData(event.target));
    fields[button.name] = button.value;
    event.target.querySelectorAll("button").forEach((other) => { other.disabled = true; });
    post(fields, bubble(button.dataset.label || button.textContent.trim()));
  });

  let newest = log.dataset.newest;
  async function refresh() {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("log");
    if (fresh.dataset.newest === newest) return;
    newest = fresh.dataset.newest;
    // Only what is new is added, so that a screen reader speaks each message once.
    const known = new Set([...log.querySelectorAll("[data-message]")].map((item) => item.dataset.message));
    log.querySelectorAll("#thread > .bubble:not([data-message]):not(:has(.state.bad)), .quick").forEach((item) => item.remove());
    for (const item of fresh.querySelectorAll("#thread > *")) {
      if (item.dataset.message && known.has(item.dataset.message)) continue;
      if (item.dataset.day && log.querySelector(`[data-day="${item.dataset.day}"]`)) continue;
      document.getElementById("thread").append(document.importNode(item, true));
    }
    if (fresh.dataset.last !== "customer") typing.hidden = true;
    document.getElementById("who").replaceChildren(...page.getElementById("who").childNodes);
    toEnd();
  }

  const feed = new EventSource("/chat/events?after=" + words.after);
  feed.addEventListener("conversation", () => { refresh().catch(() => {}); });
  window.addEventListener("pagehide", () => feed.close());

  document.getElementById("close").addEventListener("click", () => window.parent.postMessage("rapport:close", "*"));
  if (window.parent !== window) document.getElementById("close").hidden = false;
  toEnd();
})();
