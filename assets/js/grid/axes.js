// The three axes: which parameter, its values as they are typed, and as they are understood.

import { button, el, icon, redraw } from "../lib/dom.js";
import { gridDesk as desk, SLOTS, SWEEPS } from "../state/desk-of-grids.js";

const SHOWN = 24; // values shown as chips; the others are counted
const EXAMPLES = {
  num_inference_steps: "10-50 [5]", guidance_scale: "2, 3.5, 5", seed: "7, 8, ?", prompt_sr: "cat, dog, wolf", prompt: "a fox || a wolf",
  image_size: "square, 1280x720", safety_tolerance: "1-5", output_format: "jpeg, png",
};

export function newAxes() {
  const slots = SLOTS.map((name, at) => newAxis(name, at));
  const swap = button("Swap X and Y", () => desk.swapAxes(), { class: "pg-button pg-grid-swap", title: "Swap X and Y" }, icon("swap"));
  slots[0].element.append(swap);
  const sweeps = el("div", { class: "pg-grid-sweeps", role: "group", "aria-label": "Common sweeps" }, el("span", { class: "pg-muted" }, "Sweep"),
    ...SWEEPS.map((sweep) => button(sweep.name, () => desk.useSweep(sweep), { class: "pg-chip-button" })), helpButton());
  const element = el("div", { class: "pg-grid-axes" }, ...slots.map((slot) => slot.element));
  return {
    element,
    sweeps,
    draw() {
      let read = 0; // the preview holds the axes that are used, in their order
      swap.disabled = desk.axes.filter(({ field }) => field).length < 2;
      slots.forEach((slot, at) => slot.draw(desk.axes[at], desk.axes[at].field ? desk.preview?.axes[read++] : null));
    },
  };
}

function newAxis(name, at) {
  const choice = el("select", { class: "pg-grid-field", "aria-label": `${name} axis`, onchange: () => desk.setAxis(at, { field: choice.value, text: "" }) });
  const count = el("span", { class: "pg-grid-count pg-figures" });
  const fault = el("p", { class: "pg-issue", role: "alert", id: `pg-axis-fault-${name}` });
  const values = el("textarea", { class: "pg-grid-values", rows: 1, "aria-label": `${name} values`, "aria-describedby": fault.id, spellcheck: "false", autocomplete: "off", autocapitalize: "off",
    oninput: () => desk.setAxis(at, { text: values.value }), onkeydown: (event) => runOnEnter(event) });
  const chips = el("ul", { class: "pg-grid-chips", "aria-label": `${name} values as understood` });
  const element = el("div", { class: "pg-grid-axis", role: "group", "aria-label": `Axis ${name}` }, el("div", { class: "pg-grid-axis-head" }, el("span", { class: "pg-grid-slot" }, name), choice, count), values, fault, chips);
  return {
    element,
    draw({ field, text }, read) {
      redraw(choice, { fields: desk.fields }, () => [el("option", { value: "" }, "none"), ...desk.fields.map((one) => el("option", { value: one.field }, one.label))]);
      if (choice.value !== field) choice.value = field;
      if (values.value !== text) values.value = text;
      values.disabled = !field;
      values.placeholder = field ? EXAMPLES[field] ?? "true, false" : "no axis";
      const current = read?.field === field ? read : null;
      const said = field && text.trim() && current?.fault ? current.fault : "";
      if (fault.textContent !== said) fault.textContent = said;
      values.setAttribute("aria-invalid", String(Boolean(said)));
      const labels = current && !current.fault ? current.labels : [];
      count.textContent = labels.length ? `×${labels.length}` : "";
      redraw(chips, { labels, duplicates: current?.duplicates }, () => [
        ...labels.slice(0, SHOWN).map((label) => el("li", { class: "pg-grid-chip", dir: "auto", title: label }, label)),
        labels.length > SHOWN && el("li", { class: "pg-muted" }, `and ${labels.length - SHOWN} more`),
        current?.duplicates?.length > 0 && el("li", { class: "pg-muted" }, `given twice, kept once: ${current.duplicates.slice(0, 6).join(", ")}`),
      ]);
    },
  };
}

/** Ctrl or Cmd with Enter runs, as on Create. */
function runOnEnter(event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  document.querySelector(".pg-grid-run")?.click();
}

const SYNTAX = [
  ["10, 20, 28", "values; quotes keep a comma inside: \"a, b\""],
  ["1-5   10-50 (+10)   10-5 (-1)", "a range, with its step"],
  ["10-50 [5]", "five values, both ends included"],
  ["2, 4, .., 10", "goes on in the same steps"],
  ["?", "a random seed, fixed before the run"],
  ["cat, dog, wolf", "Prompt S/R: finds the first in the prompt, puts in each"],
  ["cat=dog, red=blue", "Prompt S/R: each pair by itself"],
  ["square, 1280x720", "sizes: presets, or width x height"],
  ["a || b, c || d", "where || stands, it alone separates; a line break separates too"],
];

function helpButton() {
  const popover = el("div", { class: "pg-h-help pg-grid-help", id: "grid-help", popover: "", role: "dialog", "aria-label": "How to write values" },
    el("h3", {}, "How to write values"), el("table", {}, el("tbody", {}, ...SYNTAX.map(([text, says]) => el("tr", {}, el("th", { scope: "row", class: "pg-figures" }, text), el("td", {}, says))))));
  const opener = button("How to write values", () => {}, { class: "pg-chip-button", popovertarget: "grid-help", "aria-haspopup": "dialog" }, "?");
  popover.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") return;
    const box = opener.getBoundingClientRect();
    popover.style.left = `${Math.max(8, Math.min(box.left, innerWidth - 480))}px`;
    popover.style.top = `${box.bottom + 6}px`;
  });
  return [opener, popover];
}
