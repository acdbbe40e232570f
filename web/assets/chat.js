// The widget: <script src="https://…/chat.js" defer></script> on any page of the shop.
"use strict";

(() => {
  const script = document.currentScript;
  const home = new URL(script.src);
  const label = script.dataset.label || (document.documentElement.lang.startsWith("zh") ? "联系我们" : "Chat with us");

  // A shadow tree keeps the shop's style and ours apart.
  const place = document.createElement("div");
  const root = place.attachShadow({ mode: "open" });
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("/assets/style.css", home).href;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "primary widget-button";
  button.textContent = label;
  button.setAttribute("aria-expanded", "false");
  root.append(style, button);
  document.body.append(place);

  let frame = null;
  function open() {
    if (!frame) {
      frame = document.createElement("iframe");
      frame.className = "widget-frame";
      frame.src = new URL("/chat", home).href;
      frame.title = label;
      root.append(frame);
    }
    frame.hidden = false;
    button.setAttribute("aria-expanded", "true");
    frame.focus();
  }
  function close() {
    if (frame) frame.hidden = true;
    button.setAttribute("aria-expanded", "false");
    button.focus();
  }
  button.addEventListener("click", open);
  window.addEventListener("message", (event) => {
    if (event.origin === home.origin && event.data === "rapport:close") close();
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && frame && !frame.hidden) close(); });
})();
