// Short messages at the bottom of the page, read out by screen readers; one may carry a button such as Undo.

import { button, el } from "./dom.js";

const SHOWN_MS = 9000;
let place = null;

export function toast(text, action = null) {
  place ??= el("div", { class: "pg-toasts", role: "status", "aria-live": "polite" });
  const dialog = [...document.querySelectorAll("dialog:modal")].at(-1);
  moveTo(dialog ?? document.body);
  dialog?.addEventListener("close", () => moveTo(document.body), { once: true });
  const message = el("div", { class: "pg-toast" }, el("span", {}, text));
  if (action) {
    message.append(
      button(action.name, () => {
        message.remove();
        action.run();
      }),
    );
  }
  place.append(message);
  while (place.children.length > 3) place.firstChild.remove();
  setTimeout(() => message.remove(), SHOWN_MS);
}

/** While a dialog is open, nothing outside it can be pressed. */
function moveTo(parent) {
  if (place.parentElement !== parent) parent.append(place);
}

/** Say what was deleted, with a button that runs `restore`. */
export function deleted(text, restore) {
  toast(text, { name: "Undo", run: () => attempt(restore) });
}

/** Run `work`. An error is shown as a toast, and null is returned. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message);
    return null;
  }
}
