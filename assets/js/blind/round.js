// A round of the blind pick: two to four pictures in equal boxes, and the buttons to judge them.

import { button, el } from "../lib/dom.js";

const GAP = 12;
const CAPTION = 30; // pixels under each picture
const SAME_SHAPE = 0.01; // shapes that differ by less are equal

/** `act`: pick(side), tie, undo, stop, leave, retry and skip. */
export function newRound(act) {
  return new Round(act);
}

class Round {
  #bitmaps = [];
  #sides = [];

  constructor(act) {
    this.act = act;
    this.count = el("span", { class: "pg-figures" });
    this.bar = el("progress", { "aria-label": "Rounds judged", value: 0, max: 1 });
    this.said = el("p", { class: "pg-unseen", role: "status" });
    this.stage = el("div", { class: "pg-blind-stage", role: "group", "aria-label": "Pictures", tabindex: "-1" });
    this.undo = button("Undo", act.undo, { "aria-keyshortcuts": "U" }, "Undo", key("U"));
    this.tie = button("Tie", act.tie, { "aria-keyshortcuts": "T" }, "Tie", key("T"));
    this.stop = button("Stop and see results", act.stop, { "aria-keyshortcuts": "Escape" }, "Stop and see results", key("Esc"));
    this.element = el(
      "div",
      { class: "pg-blind-round" },
      el("div", { class: "pg-blind-head" }, el("h2", {}, "Which is better?"), this.bar, this.count, button("Close", act.leave, { label: "Close, and go on later", class: "pg-button pg-blind-close" })),
      this.stage,
      el("div", { class: "pg-blind-foot" }, this.undo, this.tie, this.stop),
      this.said,
    );
    new ResizeObserver(() => this.#lay()).observe(this.stage);
  }

  show(state, bitmaps) {
    this.#tell(state);
    this.#bitmaps = bitmaps;
    this.#sides = bitmaps.map((_, side) => this.#side(side, bitmaps.length));
    this.tie.disabled = false;
    this.stage.replaceChildren(...this.#sides.map(({ element }) => element));
    this.#lay();
    this.#keepFocus();
  }

  /** The pictures of a round could not be loaded. */
  fail(state, message) {
    this.#tell(state);
    this.clear();
    this.stage.replaceChildren(
      el("div", { class: "pg-blind-lost", role: "alert" }, el("p", {}, message), el("div", { class: "pg-action-row" }, button("Try again", this.act.retry), button("Skip this round", this.act.skip))),
    );
    this.#keepFocus();
  }

  /** Remove the pictures. */
  clear() {
    this.#bitmaps = [];
    this.#sides = [];
    this.tie.disabled = true;
    this.stage.replaceChildren();
  }

  /** Handle a key. True where it was one of the round's. */
  press({ key: pressed, target }) {
    const sides = this.#sides.length;
    const side = { ArrowLeft: 0, ArrowRight: 1 }[pressed];
    if (pressed === "u" || pressed === "U" || pressed === "Backspace") this.act.undo();
    else if (!sides) return false;
    else if (Number(pressed) >= 1 && Number(pressed) <= sides) this.act.pick(Number(pressed) - 1);
    else if (side !== undefined && sides === 2) this.act.pick(side);
    else if (side !== undefined) this.#moveFocus(target, side ? 1 : -1);
    else if (pressed === "t" || pressed === "T" || pressed === "ArrowDown") this.act.tie();
    else return false;
    return true;
  }

  #tell({ round, of }) {
    this.count.textContent = `${round} of ${of}`;
    this.said.textContent = `Round ${round} of ${of}`;
    this.bar.max = of;
    this.bar.value = round - 1;
    this.undo.disabled = this.stop.disabled = round === 1;
  }

  #side(side, sides) {
    const canvas = el("canvas", { "aria-hidden": "true" });
    const name = `Picture ${side + 1}`;
    const shortcut = sides === 2 ? ["←", "→"][side] : String(side + 1);
    const element = el("button", { type: "button", class: "pg-blind-picture", "aria-label": name, onclick: () => this.act.pick(side) }, canvas, el("span", { class: "pg-blind-caption" }, name, key(shortcut)));
    return { element, canvas };
  }

  /** Lay out equal boxes, as large as the window allows, and paint the pictures into them. */
  #lay() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!this.#sides.length || !width || !height) return;
    const { columns, box } = boxes(this.#bitmaps, width, height);
    this.stage.style.gridTemplateColumns = `repeat(${columns}, ${box.width}px)`;
    this.#sides.forEach(({ canvas }, at) => paint(canvas, this.#bitmaps[at], box));
  }

  #keepFocus() {
    if (!this.element.contains(document.activeElement) || document.activeElement.disabled) this.stage.focus({ preventScroll: true });
  }

  #moveFocus(target, step) {
    const at = this.#sides.findIndex(({ element }) => element === target);
    const next = at < 0 ? (step > 0 ? 0 : this.#sides.length - 1) : (at + step + this.#sides.length) % this.#sides.length;
    this.#sides[next].element.focus();
  }
}

const key = (name) => el("kbd", { "aria-hidden": "true" }, name);

/** The number of columns and the size of each box, in CSS pixels, that show the pictures largest. */
export function boxes(pictures, width, height) {
  const shapes = pictures.map((picture) => picture.width / picture.height);
  const layouts = pictures.map((_, at) => {
    const columns = at + 1;
    const rows = Math.ceil(pictures.length / columns);
    const cell = { width: (width - GAP * (columns - 1)) / columns, height: (height - GAP * (rows - 1)) / rows - CAPTION };
    const seen = shapes.reduce((sum, shape) => sum + Math.min(cell.width / shape, cell.height), 0);
    return { columns, cell, seen };
  });
  const { columns, cell } = layouts.reduce((best, other) => (other.seen > best.seen ? other : best));
  const alike = Math.max(...shapes) / Math.min(...shapes) < 1 + SAME_SHAPE;
  const tall = Math.min(cell.height, cell.width / shapes[0]);
  const box = alike ? { width: tall * shapes[0], height: tall } : cell;
  return { columns, box: { width: Math.max(1, Math.floor(box.width)), height: Math.max(1, Math.floor(box.height)) } };
}

/** The whole picture, in the middle of its box. The canvas has the box's size, whatever the picture's is. */
function paint(canvas, bitmap, box) {
  const ratio = devicePixelRatio;
  Object.assign(canvas.style, { width: `${box.width}px`, height: `${box.height}px` });
  Object.assign(canvas, { width: Math.round(box.width * ratio), height: Math.round(box.height * ratio) });
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
}
