// A menu under a button: arrows move, Enter chooses, Escape and a click elsewhere close it.

import { el } from "./dom.js";

export function openMenu(anchor, items, className = "") {
  document.querySelector(".pg-menu")?.remove();
  const close = (refocus) => {
    menu.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (refocus) anchor.focus();
  };
  const outside = (event) => !menu.contains(event.target) && close(false);
  const entries = items.map(({ name, run, danger, checked, apart }) =>
    el("button", { type: "button", role: checked === undefined ? "menuitem" : "menuitemradio", "aria-checked": checked === undefined ? null : String(checked), class: [danger && "pg-danger", apart && "pg-menu-apart"].filter(Boolean).join(" ") || null, onclick: () => { close(true); run(); } }, name),
  );
  const menu = el("div", { class: `pg-menu ${className}`, role: "menu", onkeydown: (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") close(true);
    if (!step) return;
    event.preventDefault();
    const at = entries.indexOf(document.activeElement);
    entries[(at + step + entries.length) % entries.length].focus();
  } }, ...entries);
  document.body.append(menu);
  place(menu, anchor.getBoundingClientRect());
  anchor.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  entries[0]?.focus({ preventScroll: true });
}

/** Under the anchor where there is room, else above it; never outside the window. */
function place(menu, anchor) {
  const { offsetWidth: width, offsetHeight: height } = menu;
  const below = anchor.bottom + 4 + height <= innerHeight;
  menu.style.left = `${Math.max(8, Math.min(anchor.left, innerWidth - width - 8))}px`;
  menu.style.top = `${below ? anchor.bottom + 4 : Math.max(8, anchor.top - height - 4)}px`;
}
