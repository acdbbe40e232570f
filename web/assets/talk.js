// The customer's side of the web chat. Without this file the page is a plain form.
"use strict";

(() => {
  const words = document.querySelector(".chat").dataset;
  const log = document.getElementById("log");
  const thread = document.getElementById("thread");
  const typing = document.getElementById("typing");
  const form = document.getElementById("say");
  const field = form.elements.text;

  const toEnd = () => { log.scrollTop = log.scrollHeight; };

  function bubble(text) {
    const item = document.createElement("li");
    item.className = "bubble customer mine";
    const body = document.createElement("div");
    body.className = "text";
    body.textContent = text;
    const state = document.createElement("span");
    state.className = "state";
    item.append(body, state);
    thread.append(item);
    return item;
  }

  async function post(fields, item) {
    const state = item.querySelector(".state");
    state.className = "state";
    state.textContent = words.sending;
    toEnd();
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields), headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      state.textContent = words.sent;
      typing.hidden = false;
      toEnd();
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

  const newId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    post({ text, id: newId() }, bubble(text));
    field.focus();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
  });
  thread.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (!button) return;
    event.target.remove();
    post({ button: button.value, id: newId() }, bubble(button.dataset.label));
    field.focus();
  });

  function add(fresh) {
    const known = new Set([...thread.querySelectorAll("[data-key]")].map((item) => item.dataset.key));
    const waiting = [...thread.querySelectorAll(".mine:not(:has(.bad))")];
    thread.querySelectorAll("form.quick").forEach((item) => item.remove());
    // Only what is new is added, so that a screen reader speaks each message once.
    for (const item of fresh.querySelectorAll("#thread > li")) {
      if (known.has(item.dataset.key)) continue;
      if (item.classList.contains("customer") && waiting.length) waiting.shift().remove();
      thread.append(document.importNode(item, true));
    }
  }

  let newest = log.dataset.newest;
  async function refresh() {
    const answer = await fetch("/chat", { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("log");
    if (fresh.dataset.newest !== newest) {
      newest = fresh.dataset.newest;
      add(fresh);
    }
    typing.hidden = fresh.dataset.typing !== "yes";
    document.getElementById("who").replaceChildren(...page.getElementById("who").childNodes);
    toEnd();
  }

  const feed = new EventSource("/chat/events?after=" + log.dataset.after);
  feed.addEventListener("conversation", () => { refresh().catch(() => {}); });
  window.addEventListener("pagehide", () => feed.close());

  const close = document.getElementById("close");
  close.hidden = window.parent === window;
  close.addEventListener("click", () => window.parent.postMessage("rapport:close", "*"));
  toEnd();
})();
