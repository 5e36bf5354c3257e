// One picture in the viewer: the image, its label, its star and its menu. It is made once and only moved afterwards.

import { download, favourite } from "../picture/actions.js";
import { comparison, showTab } from "../state/comparison.js";
import { button, el, icon } from "../lib/dom.js";
import { altText } from "../picture/words.js";
import { gridDesk } from "../state/desk-of-grids.js";
import { openMenu } from "../lib/menu.js";

const PIXELATED_ABOVE = 2; // screen pixels per image pixel: above it pixels are not smoothed, since they are to be seen

export function newFrame(picture, trigger) {
  const image = el("img", { alt: altText(picture), width: picture.width, height: picture.height, draggable: "false" });
  image.decoding = "sync"; // it is decoded before it is shown, so it is never blank
  const window_ = el("div", { class: "pg-frame-window" }, image);
  const label = el("figcaption", { class: "pg-frame-label" });
  const star = button("Favourite", () => favourite(frame.picture), { class: "pg-frame-button pg-frame-star" }, icon("star"));
  const more = button("More", () => openMenu(more, menuItems(frame.picture, trigger)), { class: "pg-frame-button", "aria-haspopup": "menu" }, icon("more"));
  const bar = el("div", { class: "pg-frame-bar" }, label, el("div", { class: "pg-frame-tools" }, star, more));
  const element = el("figure", { class: "pg-frame", "data-run-id": picture.id }, window_, bar);
  const frame = { element, window: window_, image, label, star, more, bar, picture };
  return frame;
}

/** Load the picture, and wait until it can be painted at once. One that fails is marked so in its place. */
export async function decoded(frame) {
  if (!frame.image.getAttribute("src")) frame.image.src = frame.picture.media;
  try {
    await frame.image.decode();
  } catch {
    frame.element.classList.add("pg-frame-lost");
    frame.window.replaceChildren(el("p", { class: "pg-muted" }, "This picture could not be loaded."));
  }
}

/** The parts that change with the comparison: the picture's letter, what sets it apart, and its star. */
export function nameFrame(frame, picture, letter, label) {
  Object.assign(frame, { picture });
  frame.element.dataset.letter = letter;
  frame.element.setAttribute("aria-label", label);
  frame.label.textContent = label;
  frame.label.title = label;
  frame.star.setAttribute("aria-label", `Favourite ${letter}`);
  frame.star.setAttribute("aria-pressed", String(picture.favourite));
  frame.more.setAttribute("aria-label", `More for ${letter}`);
}

/** Lay the frame into its box and the picture into the frame. Only what changed is written. */
export function placeFrame(frame, box, place, ratio) {
  write(frame.element, "left", `${box.left}px`);
  write(frame.element, "top", `${box.top}px`);
  write(frame.element, "width", `${box.width}px`);
  write(frame.element, "height", `${box.height}px`);
  write(frame.image, "transform", `translate(${place.left}px, ${place.top}px) scale(${place.scale})`);
  write(frame.image, "imageRendering", place.scale * ratio > PIXELATED_ABOVE ? "pixelated" : "auto");
  const seen = seenPart(frame.picture, box, place);
  write(frame.bar, "left", `${Math.round(seen.left)}px`);
  write(frame.bar, "top", `${Math.round(seen.top)}px`);
  write(frame.bar, "width", `${Math.round(seen.right - seen.left)}px`);
  return seen;
}

/** The part of a box that the picture covers, in CSS pixels. */
export function seenPart(picture, box, { left, top, scale }) {
  return {
    left: Math.max(0, left),
    top: Math.max(0, top),
    right: Math.min(box.width, left + picture.width * scale),
    bottom: Math.min(box.height, top + picture.height * scale),
  };
}

export function write(element, property, value) {
  if (element.style[property] !== value) element.style[property] = value;
}

function menuItems(picture, trigger) {
  const at = comparison.ids.indexOf(picture.id);
  const items = [
    { name: "Reuse all", run: () => { trigger("reuse", { id: picture.id }); showTab("Create"); } },
    { name: picture.favourite ? "Take from favourites" : "Favourite", run: () => favourite(picture) },
    { name: "Make this the base of a grid", run: () => gridDesk.sweep(picture) },
    { name: "Download", run: () => download(picture) },
    at > 0 && { name: "Move left", run: () => comparison.move(picture.id, -1) },
    at < comparison.ids.length - 1 && { name: "Move right", run: () => comparison.move(picture.id, 1) },
    { name: "Remove", run: () => comparison.remove(picture.id) },
  ];
  return items.filter(Boolean);
}
