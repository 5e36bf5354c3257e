// The blind pick: a window over the page in which one axis of a grid is judged by its pictures alone.

import { get, post } from "../lib/api.js";
import { Pictures } from "./pictures.js";
import { newResult } from "./result.js";
import { newRound } from "./round.js";
import { newPanel, newSetup } from "./setup.js";
import { el } from "../lib/dom.js";
import { deleted } from "../lib/toast.js";

/** Open it on a grid. `axes`: [{ axis: 0 | 1 | 2, name: "Steps", count: 4 }]. Resolves when it is closed. */
export function openBlind({ gridId, axes }) {
  return new Promise((resolve) => new Blind(gridId, axes, resolve));
}

class Blind {
  #base;
  #axes;
  #ballot = null; // the path of the ballot that is judged
  #state = null; // its open round
  #pictures = null;
  #busy = false;

  constructor(gridId, axes, closed) {
    this.#base = `/grids/${encodeURIComponent(gridId)}/blind`;
    this.#axes = axes.filter(({ count }) => count > 1);
    this.round = newRound({
      pick: (side) => this.#judge(side),
      tie: () => this.#judge("tie"),
      skip: () => this.#judge("skip"),
      undo: () => this.#state?.round > 1 && this.#try(async () => this.#show(await post(`${this.#ballot}/undo`))),
      retry: () => this.#try(() => this.#show(this.#state)),
      stop: () => this.#try(() => this.#result(this.#ballot)),
      leave: () => this.dialog.close(),
    });
    this.place = el("div", { class: "pg-blind-view" }, newPanel("Opening…", { close: () => this.dialog.close() }));
    this.alert = el("p", { class: "pg-blind-alert pg-bad", role: "alert" });
    this.dialog = el("dialog", { class: "pg-blind", "aria-label": "Blind pick", onkeydown: (event) => this.#press(event), oncancel: (event) => this.#cancel(event) }, this.place, this.alert);
    this.dialog.addEventListener("close", () => {
      this.#letGo();
      this.dialog.remove();
      closed();
    });
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.#try(() => this.#setup());
  }

  // -- views ---------------------------------------------------------------------------------------------------------

  async #setup() {
    const offer = await get(this.#base);
    const view = newSetup(this.#axes, offer, {
      start: (axis, mode) => this.#try(async () => this.#take(await post(this.#base, { axis, mode }))),
      goOn: (ballot) => this.#try(async () => this.#take(await get(`${this.#base}/${ballot}`))),
      result: (ballot) => this.#try(() => this.#result(`${this.#base}/${ballot}`)),
      remove: (ballot) => this.#try(() => this.#remove(ballot)),
      close: () => this.dialog.close(),
    });
    this.#see(view, view.querySelector("input:checked, button"));
  }

  async #remove(ballot) {
    await post(`/ballots/${ballot}/delete`);
    deleted("The blind pick is deleted.", async () => {
      await post(`/ballots/${ballot}/restore`);
      if (this.dialog.open && !this.#state) await this.#setup();
    });
    await this.#setup();
  }

  #take(state) {
    this.#letGo();
    this.#ballot = `${this.#base}/${state.ballot}`;
    this.#pictures = new Pictures(this.#ballot);
    return this.#show(state);
  }

  async #show(state) {
    const pictures = this.#pictures;
    this.#state = state;
    if (state.round === null) return this.#result(this.#ballot);
    try {
      const bitmaps = await pictures.of(state.round, state.sides);
      this.#see(this.round.element);
      this.round.show(state, bitmaps);
    } catch (error) {
      this.#see(this.round.element);
      this.round.fail(state, error.message);
    }
    if (state.then) pictures.ahead(state.round + 1, state.then);
  }

  async #result(ballot) {
    const result = await get(`${ballot}/result`);
    this.#letGo();
    const view = newResult(result, {
      more: result.judged < result.of && (() => this.#try(async () => this.#take(await get(ballot)))),
      undo: () => this.#try(async () => this.#take(await post(`${ballot}/undo`))),
      again: () => this.#try(() => this.#setup()),
      close: () => this.dialog.close(),
    });
    this.#see(view, view.querySelector("h2"));
  }

  /** Put a view in place, with the focus inside it. */
  #see(view, focused = null) {
    if (view.parentElement === this.place) return;
    this.place.replaceChildren(view);
    focused?.focus();
  }

  #letGo() {
    this.round.clear();
    this.#pictures?.forgetAll();
    this.#pictures = this.#state = null;
  }

  // -- actions -------------------------------------------------------------------------------------------------------

  #judge(choice) {
    this.#try(async () => this.#show(await post(`${this.#ballot}/verdict`, { round: this.#state.round, choice })));
  }

  /** Run one action at a time, so that a second press does not judge a round not yet shown. Errors are shown. */
  async #try(work) {
    if (this.#busy) return;
    this.#busy = true;
    this.alert.textContent = "";
    try {
      await work();
    } catch (error) {
      this.alert.textContent = error.message;
    } finally {
      this.#busy = false;
    }
  }

  #press(event) {
    const { ctrlKey, metaKey, altKey, repeat } = event;
    if (!this.round.element.isConnected || ctrlKey || metaKey || altKey) return;
    if (repeat ? event.key !== "Tab" : this.round.press(event)) event.preventDefault();
  }

  /** Escape shows the results where a round was judged, else it closes the dialog. */
  #cancel(event) {
    if (!(this.#state?.round > 1)) return;
    event.preventDefault();
    this.#try(() => this.#result(this.#ballot));
  }
}
