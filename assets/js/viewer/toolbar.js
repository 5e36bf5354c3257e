// The line above the pictures. Built once; drawing only sets what is pressed, what is off, and the words.

import { button, el } from "../lib/dom.js";
import { GAINS } from "./difference.js";
import { MODES, obstacle, sizesDiffer } from "./modes.js";

const RATES = [0, 0.5, 1, 2, 3]; // swaps a second; 3 is the most that is safe to look at
const ALIGNS = [{ id: "fit", name: "By fit" }, { id: "pixel", name: "By pixel" }];

/** Shown where there is no other message and enough room. */
export const HINT = "zoom and pan are linked";

export function newToolbar(act) {
  const modes = segment("Mode", MODES, act.mode);
  modes.element.classList.add("pg-viewer-modes");
  const gains = segment("Brighten the difference", GAINS.map((gain) => ({ id: gain, name: `×${gain}` })), (gain) => act.change({ gain }));
  const aligns = segment("Line up pictures of different sizes", ALIGNS, (align) => act.change({ align }));
  const percent = el("span", { class: "pg-viewer-percent pg-figures", title: "Screen pixels for each pixel of the picture" });
  const fit = button("Fit", act.fit, { title: "Whole pictures (0)" });
  const actual = button("1:1", act.actual, { title: "One pixel of the picture on one of the screen (Z)" });
  const zoom = el("div", { class: "pg-segment pg-viewer-zoom", role: "group", "aria-label": "Zoom" }, fit, actual, button("−", act.zoomOut, { label: "Zoom out" }), percent, button("+", act.zoomIn, { label: "Zoom in" }));
  const rate = el("select", { class: "pg-button", "aria-label": "Blink by itself", onchange: () => act.change({ hz: Number(rate.value) }) }, ...RATES.map((hz) => el("option", { value: hz }, hz ? `${hz} × a second` : "By hand")));
  const blink = el("div", { class: "pg-viewer-group", hidden: true }, button("Swap", () => act.swap(1), { title: "Space, or a click on the picture" }), rate);
  const note = el("span", { class: "pg-muted pg-viewer-note", id: "pg-viewer-note", role: "status" });
  const element = el(
    "div",
    { class: "pg-viewer-bar", role: "toolbar", "aria-label": "Compare" },
    el("div", { class: "pg-viewer-group pg-viewer-left" }, modes.element, zoom, aligns.element, gains.element, blink, note),
    el(
      "div",
      { class: "pg-viewer-group pg-viewer-right" },
      button("+ Add picture", act.add, { "aria-haspopup": "dialog" }),
      button("Copy link", act.copyLink),
      button("Full screen", act.full, { title: "F", class: "pg-button pg-viewer-full" }),
      button("?", act.keys, { label: "Keys", title: "Keys (?)", "aria-haspopup": "dialog", class: "pg-button pg-viewer-keys" }),
    ),
  );

  return {
    element,
    draw(view, percents, words, full) {
      const { pictures, mode } = view;
      modes.draw(mode, (id) => obstacle(id, pictures));
      gains.draw(view.gain);
      aligns.draw(view.align);
      gains.element.hidden = mode !== "difference";
      aligns.element.hidden = !sizesDiffer(pictures);
      blink.hidden = mode !== "blink";
      set(fit, "aria-pressed", String(view.zoom === null));
      write(percent, told(percents));
      write(note, words);
      note.classList.toggle("pg-viewer-hint", words === HINT);
      if (document.activeElement !== rate) rate.value = String(view.hz);
      write(element.querySelector(".pg-viewer-full"), full ? "Leave full screen" : "Full screen");
    },
  };
}

/** An attribute, or none for null; written only where it changes, since this runs for every frame of a drag. */
function set(element, name, value) {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

const write = (element, text) => element.textContent !== text && (element.textContent = text);

/** One figure where all pictures have the same scale, else from the smallest to the largest. */
function told(percents) {
  const [least, most] = [Math.min(...percents), Math.max(...percents)].map(Math.round);
  return least === most ? `${least} %` : `${least}–${most} %`;
}

/** Buttons of which one is pressed. A disabled one can still be focused, and its reason is shown beside it. */
function segment(name, choices, choose) {
  const buttons = choices.map(({ id, name: label }) =>
    button(label, (event) => event.currentTarget.getAttribute("aria-disabled") !== "true" && choose(id, event), { "data-choice": id }),
  );
  return {
    element: el("div", { class: "pg-segment", role: "group", "aria-label": name }, ...buttons),
    draw(chosen, obstacleOf = () => null) {
      choices.forEach(({ id }, at) => {
        const reason = obstacleOf(id);
        set(buttons[at], "aria-pressed", String(id === chosen));
        set(buttons[at], "aria-disabled", reason && "true");
        set(buttons[at], "aria-describedby", reason && "pg-viewer-note");
        set(buttons[at], "title", reason);
      });
    },
  };
}
