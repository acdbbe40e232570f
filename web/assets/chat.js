// The widget: <script src="https://…/chat.js" defer></script> on any page of the shop.
"use strict";

(() => {
  const script = document.currentScript;
  const home = new URL("/chat?in=frame", script.src);
  const words = { open: script.dataset.label || (document.documentElement.lang.startsWith("zh") ? "联系我们" : "Chat with us") };
  const dress = (element, rules) => { for (const [name, value] of Object.entries(rules)) element.style.setProperty(name, value); };
  const narrow = window.matchMedia("(max-width: 599px)");

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words.open;
  button.setAttribute("aria-expanded", "false");
  // The host page's style sheet does not know us; these stand in for the tokens.
  dress(button, { position: "fixed", right: "16px", bottom: "16px", "z-index": "2147483000", border: "0", "border-radius": "6px",
    padding: "12px 16px", font: "600 15px/20px system-ui, sans-serif", cursor: "pointer",
    background: "AccentColor", color: "AccentColorText" });
  const probe = script.dataset.color;
  if (probe) dress(button, { background: probe, color: "Canvas" });

  let frame = null;
  function place() {
    if (!frame) return;
    dress(frame, narrow.matches
      ? { inset: "0", width: "100%", height: "100%", "border-radius": "0" }
      : { inset: "auto 16px 16px auto", width: "380px", height: "min(600px, calc(100vh - 32px))", "border-radius": "6px" });
  }
  function open() {
    if (!frame) {
      frame = document.createElement("iframe");
      frame.src = home.href;
      frame.title = words.open;
      dress(frame, { position: "fixed", border: "0", "z-index": "2147483001", "box-shadow": "0 4px 16px GrayText" });
      document.body.append(frame);
      narrow.addEventListener("change", place);
    }
    place();
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
  document.body.append(button);
})();
