// Notices that stay until they are closed: of work that takes long, and of what must not happen silently.

import { el } from "./dom.js";

let place = null;

/** An empty notice; several stand above each other at the page's lower edge. */
export function notice() {
  place ??= document.body.appendChild(el("div", { class: "pg-notices" }));
  return place.appendChild(el("div", { class: "pg-notice", role: "status" }));
}
