// The stage: all frames at once, laid out for the mode. Switching modes moves frames and loads nothing.

import { el } from "../lib/dom.js";
import { newDifference } from "./difference.js";
import { decoded, nameFrame, newFrame, placeFrame, seenPart, write } from "./frame.js";
import { boxes, placed, scales, sharedBox } from "./geometry.js";
import { LETTERS } from "../state/comparison.js";

const SETTLED_MS = 180;

export class Stage {
  #frames = new Map(); // id → frame
  #settling = 0;

  constructor(trigger) {
    this.trigger = trigger;
    this.fills = false; // whether boxes take all the room, or only what the pictures need
    this.room = { width: 0, height: 0 };
    this.difference = newDifference();
    this.divider = newDivider();
    this.element = el("div", { class: "pg-viewer-stage", tabindex: "0", role: "group", "aria-label": "Pictures" });
  }

  /** Make frames for these pictures, and decode them, before any of them is shown. */
  async prepare(pictures) {
    const frames = pictures.map((picture) => this.#frames.get(picture.id) ?? newFrame(picture, this.trigger));
    await Promise.all(frames.map(decoded));
    return frames;
  }

  /** Show prepared frames instead of the present ones. */
  show(frames) {
    this.#frames = new Map(frames.map((frame) => [frame.picture.id, frame]));
    this.element.replaceChildren(...frames.map((frame) => frame.element), this.difference.element, this.divider);
  }

  /** The room there is. Its height is what the stylesheet allows at most: side by side may take less of it. */
  measure() {
    const most = parseFloat(getComputedStyle(this.element).maxHeight);
    this.room = { width: this.element.clientWidth, height: most || this.element.clientHeight };
  }

  /** Whether the tab is shown, and there is room. */
  get seen() {
    return this.room.width > 0 && this.room.height > 0;
  }

  /** The box of each picture, in CSS pixels of the stage. */
  boxes(view) {
    const { mode, pictures } = view;
    if (mode === "side") return boxes(pictures, this.room, this.fills);
    return pictures.map(() => sharedBox(pictures, this.room, this.fills));
  }

  /** Which picture's box lies under the pointer, and where from its middle. */
  at(view, { clientX, clientY }) {
    const stage = this.element.getBoundingClientRect();
    const [x, y] = [clientX - stage.left, clientY - stage.top];
    const all = this.boxes(view);
    const of = Math.max(0, all.findIndex((box) => x >= box.left && x < box.left + box.width && y >= box.top && y < box.top + box.height));
    const box = all[of];
    return { of, x: x - box.left - box.width / 2, y: y - box.top - box.height / 2 };
  }

  /** The share of the seen picture that lies left of the pointer. */
  splitAt({ clientX }) {
    const { left } = this.element.getBoundingClientRect();
    return (clientX - left - this.cover.left) / (this.cover.right - this.cover.left);
  }

  name(pictures, labels) {
    pictures.forEach((picture, at) => nameFrame(this.#frames.get(picture.id), picture, LETTERS[at], labels[at]));
  }

  /** Lay everything out as the view says. Returns the zoom of each picture in percent. */
  draw(view, ratio) {
    const { pictures, mode } = view;
    const all = this.boxes(view);
    const places = placed(pictures, all[0], view, ratio);
    this.element.dataset.mode = mode;
    write(this.element, "height", `${Math.max(...all.map((box) => box.top + box.height))}px`);
    this.element.dataset.zoomed = String(pictures.some((picture, at) => passes(picture, all[at], places[at].scale)));
    this.cover = seenPart(pictures[0], all[0], places[0]);
    pictures.forEach((picture, at) => {
      const frame = this.#frames.get(picture.id);
      const seen = placeFrame(frame, all[at], places[at], ratio);
      if (mode === "slider") this.cover = { left: Math.min(this.cover.left, seen.left), right: Math.max(this.cover.right, seen.right), top: 0, bottom: 0 };
      hide(frame.element, mode === "difference" || (mode === "blink" && at !== view.shown));
    });
    this.#drawDivider(view);
    this.difference.draw(view, all[0], places[0], ratio);
    this.#settle();
    const { each } = scales(pictures, all[0], view, ratio);
    return each.map((scale) => scale * ratio * 100);
  }

  #drawDivider({ mode, split, pictures }) {
    const sliding = mode === "slider";
    this.divider.hidden = !sliding;
    const at = Math.round(this.cover.left + split * (this.cover.right - this.cover.left));
    // The first picture lies above the second and is cut off at the divider.
    pictures.forEach(({ id }, index) => write(this.#frames.get(id).window, "clipPath", sliding && index === 0 ? `inset(0 ${this.room.width - at}px 0 0)` : ""));
    if (!sliding) return;
    write(this.divider, "transform", `translateX(${at}px)`);
    const percent = Math.round(split * 100);
    this.divider.setAttribute("aria-valuenow", String(percent));
    this.divider.setAttribute("aria-valuetext", `A ${percent} %, B ${100 - percent} %`);
  }

  /** While pictures move, the compositor only transforms them; SETTLED_MS after the last move they are drawn sharp. */
  #settle() {
    this.element.classList.add("pg-moving");
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.element.classList.remove("pg-moving"), SETTLED_MS);
  }
}

const passes = (picture, box, scale) => picture.width * scale > box.width + 1 || picture.height * scale > box.height + 1;

function newDivider() {
  const values = { "aria-valuenow": "50", "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal" };
  const grip = el("span", { class: "pg-divider-grip", "aria-hidden": "true" });
  return el("div", { class: "pg-divider", hidden: true, role: "slider", tabindex: "0", "aria-label": "Divider between A and B", ...values }, grip);
}

/** Hide an element, or show it. It stays painted while hidden, so that showing it costs one frame. */
export function hide(element, hidden) {
  if (element.inert === hidden) return;
  element.inert = hidden;
  element.classList.toggle("pg-frame-hidden", hidden);
}
