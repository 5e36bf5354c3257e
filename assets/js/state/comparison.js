// Which pictures are compared, in their order: the first is A. Cards, the viewer and links share this state.

import { store } from "./store.js";
import { toast } from "../lib/toast.js";

export const LETTERS = "ABCDEFGH";
export const MOST = LETTERS.length;
const KEPT = "playground-comparison";

class Comparison extends EventTarget {
  #places = []; // ids by letter; null stands for an A that is still to be chosen

  /** The pictures' ids, A first. */
  get ids() {
    return this.#places.filter(Boolean);
  }

  has(id) {
    return this.#places.includes(id);
  }

  /** "A" to "H", or null for a picture that is not compared. */
  letter(id) {
    return LETTERS[this.#places.indexOf(id)] ?? null;
  }

  /** Put a picture on place A or B, or remove it if it is there already. A picture that moves swaps with the other. */
  setSlot(slot, id) {
    const to = LETTERS.indexOf(slot);
    const from = this.#places.indexOf(id);
    if (from === to) return this.remove(id);
    const places = [...this.#places];
    if (from >= 0) places[from] = places[to] ?? null;
    places[to] = id;
    this.#set(places);
  }

  /** Take a picture in, or out. */
  toggle(id) {
    if (this.has(id)) return this.remove(id);
    if (this.ids.length >= MOST) return toast(`${MOST} pictures at most can be compared. Take one away first.`);
    const free = this.#places.indexOf(null);
    this.#set(free < 0 ? [...this.#places, id] : this.#places.with(free, id));
  }

  remove(...ids) {
    this.#set(this.ids.filter((id) => !ids.includes(id)));
  }

  /** Move a picture by `step` places. */
  move(id, step) {
    const ids = this.ids;
    const from = ids.indexOf(id);
    ids.splice(from + step, 0, ...ids.splice(from, 1));
    this.#set(ids);
  }

  /** Compare these pictures, and show them. */
  open(ids) {
    this.choose(ids);
    this.dispatchEvent(new Event("open"));
    showTab("Compare");
  }

  choose(ids) {
    const wanted = [...new Set(ids)];
    if (wanted.length > MOST) toast(`${MOST} pictures at most can be compared: the first ${MOST} are shown.`);
    this.#set(wanted.slice(0, MOST));
  }

  /** Begin with the pictures in the address, else with those kept in this browser tab from before a reload. */
  start() {
    const linked = new URLSearchParams(location.search).get("compare");
    const ids = (linked ?? sessionStorage.getItem(KEPT) ?? "").split(",").map((id) => id.trim().slice(0, 40));
    this.choose(ids.filter(Boolean));
    if (linked !== null) whenThere(() => showTab("Compare"));
    store.addEventListener("change", () => {
      const gone = this.ids.filter((id) => store.runs.get(id)?.deleted);
      if (gone.length) this.remove(...gone);
    });
  }

  #set(places) {
    const filled = Array.from(places, (id) => id ?? null);
    while (filled.length && filled.at(-1) === null) filled.pop();
    this.#places = filled;
    sessionStorage.setItem(KEPT, this.ids.join(","));
    this.dispatchEvent(new Event("change"));
  }
}

export const comparison = new Comparison();

/** Go to a tab of the page; false while there is none of that name yet. */
export function showTab(name) {
  const tabs = document.querySelectorAll("#tabs [role=tab]");
  const tab = [...tabs].find((each) => each.textContent.trim() === name);
  tab?.click();
  return tab?.getAttribute("aria-selected") === "true";
}

/** Call `done` every 100 ms until it returns true: Gradio builds its tabs late, and they accept clicks still later.
 *  Stops when the user chooses a tab meanwhile. */
export function whenThere(done, tries = 100) {
  const left = new AbortController();
  const leave = (event) => event.isTrusted && event.target.closest?.("#tabs [role=tab]") && left.abort();
  document.addEventListener("click", leave, { capture: true, signal: left.signal });
  const attempt = (more) => {
    if (left.signal.aborted) return;
    if (done() || more === 0) left.abort();
    else setTimeout(attempt, 100, more - 1);
  };
  attempt(tries);
}
