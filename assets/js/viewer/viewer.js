// The viewer: two to eight pictures, one view of them all. Gestures, keys and buttons change the view; a frame draws it.

import { get } from "../lib/api.js";
import { comparison } from "../state/comparison.js";
import { button, el } from "../lib/dom.js";
import { store } from "../state/store.js";
import { toast } from "../lib/toast.js";
import { actionsOf } from "./actions.js";
import { listenToGestures } from "./gestures.js";
import { bounded } from "./geometry.js";
import { listenToKeys } from "./keys.js";
import { address, readLink } from "./link.js";
import { obstacle } from "./modes.js";
import { Stage } from "./stage.js";
import { newTable } from "./table.js";
import { HINT, newToolbar } from "./toolbar.js";

const LINK_MS = 300;
const RATE_KEPT = "playground-blink-rate";
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function mountViewer(element, { trigger }) {
  return new Viewer(element, trigger);
}

class Viewer {
  view = { mode: "side", zoom: null, x: 0.5, y: 0.5, align: "fit", gain: 1, only: false, split: 0.5, shown: 0, hz: keptRate(), pictures: [], ...readLink() };
  data = null; // the server's answer for the pictures that are shown
  #asked = ""; // the ids last asked for
  #told = null; // the answer that labels and table were last drawn from; #toldOnly: the filter of the table then
  #toldOnly = null;
  #drawing = 0;
  #blinking = 0;
  #linking = 0;

  constructor(element, trigger) {
    this.element = element;
    this.stage = new Stage(trigger);
    const act = actionsOf(this);
    this.table = newTable(act);
    this.toolbar = newToolbar(act);
    this.summary = el("p", { class: "pg-unseen", "aria-live": "polite" });
    this.empty = el("div", { class: "pg-empty pg-viewer-empty" });
    this.body = el("div", { class: "pg-viewer-body", hidden: true }, this.toolbar.element, this.stage.element, this.table.element);
    element.append(this.empty, this.body, this.summary);
    listenToGestures(this.stage.element, act);
    listenToKeys(this.body, act);
    comparison.addEventListener("change", () => this.#load());
    store.addEventListener("change", () => this.#refresh());
    document.addEventListener("fullscreenchange", () => document.fullscreenElement || this.setFull(false));
    // Also notices when the tab is shown or hidden: while it is hidden, the size is 0.
    new ResizeObserver(() => this.#resized()).observe(element);
    new ResizeObserver(() => this.#resized()).observe(this.stage.element);
    this.#load();
  }

  // -- what is compared ----------------------------------------------------------------------------------------------

  async #load() {
    const ids = comparison.ids;
    const asked = (this.#asked = ids.join(","));
    if (ids.length < 2) return this.#showEmpty(ids.length);
    this.element.setAttribute("aria-busy", "true");
    try {
      const data = await get(`/compare?ids=${encodeURIComponent(asked)}`);
      const frames = await this.stage.prepare(data.pictures);
      if (asked !== this.#asked) return;
      if (data.missing.length) return this.#leaveOut(data.missing);
      this.#take(data, frames);
    } catch (error) {
      if (asked === this.#asked) toast(error.message);
    } finally {
      if (asked === this.#asked) this.element.removeAttribute("aria-busy");
    }
  }

  #leaveOut(missing) {
    const [what, are] = missing.length === 1 ? ["A picture", "is"] : [`${missing.length} pictures`, "are"];
    toast(`${what} of this comparison cannot be seen here and ${are} left out: ${missing.join(", ")}`);
    comparison.remove(...missing);
  }

  #take(data, frames) {
    this.data = data;
    this.empty.hidden = true;
    this.body.hidden = false;
    this.stage.show(frames);
    this.stage.measure();
    this.summary.textContent = data.summary;
    const { mode, shown } = this.view;
    const possible = obstacle(mode, data.pictures) ? "side" : mode;
    this.change({ pictures: data.pictures, mode: possible, shown: Math.min(shown, data.pictures.length - 1) });
    this.#refresh();
  }

  #showEmpty(count) {
    this.data = null;
    this.view.pictures = [];
    this.#schedule();
    this.body.hidden = true;
    this.empty.hidden = false;
    this.summary.textContent = "";
    this.setFull(false);
    const words = count ? "One picture is chosen. Choose another to compare it with." : "Choose two to eight pictures to compare.";
    this.empty.replaceChildren(
      el("p", { class: "pg-strong" }, words),
      el("p", {}, "Press A and B on a picture, or tick several and press Compare."),
      button("+ Add picture", actionsOf(this).add, { "aria-haspopup": "dialog", class: "pg-button pg-primary" }),
    );
  }

  /** Take over favourites that changed here or elsewhere. */
  #refresh() {
    if (!this.data) return;
    const starred = ({ id, favourite }) => store.runs.get(id)?.favourite ?? favourite;
    if (this.data.pictures.every((picture) => starred(picture) === picture.favourite)) return;
    const pictures = this.data.pictures.map((picture) => ({ ...picture, favourite: starred(picture) }));
    this.data = { ...this.data, pictures };
    this.change({ pictures });
  }

  // -- the view ------------------------------------------------------------------------------------------------------

  change(patch) {
    const before = this.view;
    this.view = { ...before, ...patch };
    if ("hz" in patch) localStorage.setItem(RATE_KEPT, patch.hz);
    if (this.view.mode !== before.mode || this.view.hz !== before.hz) this.#blink();
    if (this.data && this.stage.seen) this.view = bounded(this.view.pictures, this.box(), this.view, devicePixelRatio);
    this.#schedule();
  }

  /** The first picture's box; all boxes have its size. */
  box() {
    return this.stage.boxes(this.view)[0];
  }

  #schedule() {
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      if (this.data && this.stage.seen) this.#draw();
      clearTimeout(this.#linking);
      this.#linking = setTimeout(() => this.#writeLink(), LINK_MS);
    });
  }

  #draw() {
    const view = this.view;
    if (this.#told !== this.data) this.stage.name(this.data.pictures, this.data.labels);
    if (this.#told !== this.data || this.#toldOnly !== view.only) this.table.draw(this.data, view.only);
    [this.#told, this.#toldOnly] = [this.data, view.only];
    const percents = this.stage.draw(view, devicePixelRatio);
    this.toolbar.draw(view, percents, this.#words(), this.full);
  }

  /** The words beside the buttons: why a mode is off, or what the mode has found. */
  #words() {
    const view = this.view;
    if (view.mode === "difference") {
      const found = this.stage.difference.result(view, () => this.#schedule());
      if (!found) return "computing…";
      if (found.error) return found.error;
      if (found.most === 0) return "Every pixel is the same.";
      return `mean error ${found.mean.toFixed(2)} of 255 (${((found.mean / 255) * 100).toFixed(2)}\u00a0%), largest\u00a0${found.most}`;
    }
    return obstacle("difference", view.pictures) ?? (view.mode === "side" ? HINT : "");
  }

  #resized() {
    if (!this.data) return;
    this.stage.measure();
    this.#blink();
    this.change({});
  }

  get #seen() {
    return this.body.getClientRects().length > 0;
  }

  #writeLink() {
    const next = this.data && this.#seen ? address(comparison.ids, this.view) : address([], null);
    if (next !== location.href) history.replaceState(history.state, "", next);
  }

  // -- blink ---------------------------------------------------------------------------------------------------------

  #blink() {
    clearInterval(this.#blinking);
    const { mode, hz } = this.view;
    if (mode === "blink" && hz > 0 && this.#seen) this.#blinking = setInterval(() => !document.hidden && this.swap(1), 1000 / hz);
  }

  swap(step) {
    const { pictures, shown } = this.view;
    this.change({ shown: (shown + step + pictures.length) % pictures.length });
  }

  // -- full screen ---------------------------------------------------------------------------------------------------

  get full() {
    return this.element.classList.contains("pg-viewer-fills");
  }

  setFull(full) {
    if (full === this.full) return;
    this.element.classList.toggle("pg-viewer-fills", full);
    document.documentElement.classList.toggle("pg-viewer-full-page", full);
    this.stage.fills = full;
    if (!full && document.fullscreenElement) document.exitFullscreen();
    this.#resized();
  }
}

/** The blink rate chosen before; 0 for users who prefer reduced motion. */
function keptRate() {
  return still.matches ? 0 : Math.min(3, Number(localStorage.getItem(RATE_KEPT)) || 0);
}
