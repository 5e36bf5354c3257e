// What the verdicts say: a sentence, and a table with each value's wins, its interval and its place.

import { button, el } from "../lib/dom.js";

const percent = (share) => `${Math.round(share * 100)}\u00a0%`;

/** `act`: more (go on with the ballot; false where all is judged), undo (the last round), again (another ballot), close. */
export function newResult(result, act) {
  const { sentence, standings, axis, judged, of } = result;
  const first = standings.find(({ place }) => place === "preferred");
  return el(
    "div",
    { class: "pg-blind-panel pg-blind-result" },
    el("h2", { tabindex: "-1" }, sentence),
    el("p", {}, `${judged} of ${of} rounds judged.`, judged === of && !first && standings.length > 1 ? " For a decision, give another axis more values, such as seeds." : ""),
    el(
      "table",
      { class: "pg-blind-table" },
      el("caption", { class: "pg-unseen" }, `${axis}: wins of each value`),
      el("thead", {}, el("tr", {}, ...[axis, "Wins", "Share, 95 % interval", "Strength", "So far"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...standings.map(line)),
    ),
    el("p", { class: "pg-muted" }, "A tie is half a win. Undecided: the interval overlaps that of the first. Strength allows for whom a value met (Bradley–Terry): one of 60\u00a0% beats one of 20\u00a0% three times out of four."),
    el("div", { class: "pg-dialog-buttons" }, ...buttons(act)),
  );
}

/** The primary button goes on judging where rounds are left, else it closes. */
function buttons({ more, undo, again, close }) {
  const primary = { class: "pg-button pg-primary" };
  if (more) return [button("Close", close), button("Judge more", more, primary)];
  return [button("Undo the last", undo), button("Judge again", again), button("Close", close, primary)];
}

function line({ label, wins, of, low, high, strength, place }) {
  const share = of ? wins / of : null;
  return el(
    "tr",
    { "data-place": place },
    el("th", { scope: "row" }, label),
    el("td", { class: "pg-figures" }, `${wins} of ${of}`),
    el("td", { class: "pg-blind-share" }, share === null ? "–" : el("div", {}, bar(share, low, high), el("span", { class: "pg-figures" }, `${percent(share)} (${Math.round(low * 100)}–${percent(high)})`))),
    el("td", { class: "pg-figures pg-blind-strength" }, strength === null ? "–" : percent(strength)),
    el("td", { class: "pg-blind-place" }, place),
  );
}

/** From 0 to 100 %, with a line at one half: the interval as a bar, the share as a mark on it. Figures stand beside it. */
function bar(share, low, high) {
  const interval = el("span", { class: "pg-blind-interval" });
  Object.assign(interval.style, { left: `${low * 100}%`, width: `${(high - low) * 100}%` });
  const mark = el("span", { class: "pg-blind-mark" });
  mark.style.left = `${share * 100}%`;
  return el("span", { class: "pg-blind-bar", "aria-hidden": "true" }, interval, mark);
}
