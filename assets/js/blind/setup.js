// The blind pick's first view: which axis to judge and how, and earlier ballots.

import { button, el } from "../lib/dom.js";

const MODES = { pairs: ["Pairs", "Two at a time. The surest."], four: ["Best of four", "The best one of up to four. The quickest."] };
const KEPT_SHOWN = 6;

/** `axes`: those with two values or more. `offer`: what the server says. `act`: start(axis, mode), goOn, result, remove, close. */
export function newSetup(axes, offer, act) {
  if (!axes.length) return newPanel("There is nothing to choose from: no axis of this grid has two values. Add a value to an axis first.", act);
  const able = axes.find(({ axis }) => offer.rounds[axis].pairs > 0) ?? axes[0];
  const chosen = { axis: able.axis, mode: "pairs" };
  const told = el("p", { class: "pg-muted", role: "status" });
  const start = button("Start", () => act.start(chosen.axis, chosen.mode), { class: "pg-button pg-primary" });
  const rounds = Object.fromEntries(Object.keys(MODES).map((mode) => [mode, el("span", { class: "pg-figures pg-blind-rounds" })]));
  const choose = (patch) => {
    Object.assign(chosen, patch);
    for (const [mode, place] of Object.entries(rounds)) place.textContent = counted(offer.rounds[chosen.axis][mode]);
    start.disabled = offer.rounds[chosen.axis][chosen.mode] === 0;
    told.textContent = start.disabled ? "No two finished pictures differ in this axis only. Wait for more, or judge another axis." : "";
  };
  const axisChoices = axes.map(({ axis, name, count }) =>
    choice("axis", axis === chosen.axis, () => choose({ axis }), name, el("span", { class: "pg-muted" }, `${count} values`)),
  );
  const modeChoices = Object.entries(MODES).map(([mode, [name, what]]) =>
    choice("mode", mode === chosen.mode, () => choose({ mode }), name, el("span", { class: "pg-muted" }, what), rounds[mode]),
  );
  choose({});
  return el(
    "div",
    { class: "pg-blind-panel" },
    el("h2", {}, "Blind pick"),
    el("p", {}, "Pick the better picture without knowing what made it. Only pictures that are equal in all else are shown together; sides and order are random."),
    fields("Judge", axisChoices),
    fields("How", modeChoices),
    told,
    el("div", { class: "pg-dialog-buttons" }, button("Close", act.close), start),
    offer.kept.length > 0 && kept(offer.kept.slice(0, KEPT_SHOWN), act),
  );
}

/** A panel with nothing to choose, only `words` and a Close button. */
export function newPanel(words, act) {
  return el(
    "div",
    { class: "pg-blind-panel" },
    el("h2", {}, "Blind pick"),
    el("p", {}, words),
    el("div", { class: "pg-dialog-buttons" }, button("Close", act.close, { class: "pg-button pg-primary" })),
  );
}

const counted = (rounds) => (rounds === 1 ? "1 round" : `${rounds} rounds`);

function fields(name, choices) {
  return el("fieldset", { class: "pg-blind-choices" }, el("legend", {}, name), ...choices);
}

function choice(group, checked, onchange, name, ...more) {
  return el("label", { class: "pg-blind-choice" }, el("input", { type: "radio", name: `pg-blind-${group}`, checked, onchange }), el("span", { class: "pg-strong" }, name), ...more);
}

function kept(judgings, act) {
  const rows = judgings.map(({ ballot, axis, mode, judged, of, created_at }) => {
    const words = `${axis}, ${MODES[mode][0].toLowerCase()}, ${judged} of ${of} judged`;
    return el(
      "li",
      {},
      el("span", {}, words, el("span", { class: "pg-muted" }, ` · ${new Date(created_at).toLocaleString([], { dateStyle: "short", timeStyle: "short" })}`)),
      judged > 0 && button("Result", () => act.result(ballot), { label: `Result: ${words}` }),
      judged < of && button("Go on", () => act.goOn(ballot), { label: `Go on: ${words}` }),
      button("Delete", () => act.remove(ballot), { class: "pg-button pg-danger", label: `Delete: ${words}` }, "Delete"),
    );
  });
  return el("section", { class: "pg-blind-kept", "aria-label": "Judged before" }, el("h3", {}, "Judged before"), el("ul", {}, ...rows));
}
