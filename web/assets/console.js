// Small comforts of the console. Every page works without this file.
"use strict";

// A changed filter asks for the page again; its state stays in the address.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form.filters");
  if (form) form.requestSubmit();
});

// A destructive form asks once, in its own words.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// j and k walk through rows, the slash goes to the first field of the page.
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j" || event.key === "k") {
    const rows = [...document.querySelectorAll("tr.link a:first-of-type, .queue a")];
    const here = rows.indexOf(document.activeElement);
    const next = rows[here + (event.key === "j" ? 1 : -1)] || rows[0];
    if (next) next.focus();
  }
  if (event.key === "/") {
    const field = document.querySelector(".main textarea, .main select, .main input");
    if (field) { event.preventDefault(); field.focus(); }
  }
});

// Control or Command with Enter sends what is in a composer.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    const form = event.target.closest("form.composer");
    if (form) form.requestSubmit();
  }
});

window.rapport = {
  toast(text, bad) {
    const box = document.querySelector(".toasts");
    if (!box) return;
    const toast = document.createElement("div");
    toast.className = bad ? "toast bad" : "toast";
    toast.textContent = text;
    box.append(toast);
    window.setTimeout(() => toast.remove(), 8000);
  },
};

document.addEventListener("htmx:error", () => {
  window.rapport.toast(document.body.dataset.unreachable, true);
});
