// The page's keyboard shortcuts: one table, from which they are handled and listed. The viewer's own are handled in
// viewer/keys.js but listed here too, since a page has one list of keys.

import { favourite } from "../picture/actions.js";
import { announceSwitch } from "../picture/announce.js";
import { comparison, showTab, whenThere } from "../state/comparison.js";
import { button, el } from "../lib/dom.js";
import { selection } from "../state/selection.js";
import { store } from "../state/store.js";
import { toast } from "../lib/toast.js";

/** `run` gets the picture's run where `picture` is set, and returns false where it did not handle the key. */
const KEYS = [
  { key: "/", told: "/", what: "Search the history", run: searchHistory },
  { key: "a", picture: true, told: "A  B", what: "Compare it as A, as B", run: (run) => compare("A", run) },
  { key: "b", picture: true, run: (run) => compare("B", run) },
  { key: "f", picture: true, told: "F", what: "Favourite", run: star },
  { key: "r", picture: true, told: "R", what: "Reuse all its settings", run: (run, trigger) => reuse(run, trigger) },
  { key: "escape", told: "Esc", what: "Close what is open", run: closeWhatIsOpen },
  { key: "?", told: "?", what: "These keys", run: () => showKeys() },
];
const ELSEWHERE = {
  Anywhere: [["Ctrl  ⌘  Enter", "Generate, from the controls"]],
  "The picture with the focus, else the chosen one": [["← ↑ → ↓", "Go to another picture"]],
  "In the viewer": [
    ["1 – 4", "Slider, Side by side, Blink, Difference"],
    ["+  −", "Zoom in, out"],
    ["0", "Fit"],
    ["Z", "1:1, one pixel on one of the screen"],
    ["← ↑ → ↓", "Pan; in Slider ← → move the divider. With Shift in larger steps"],
    ["Space", "Blink: swap. With Shift backwards"],
    ["F", "Full screen"],
  ],
};

export function listenToPageKeys(trigger) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.repeat || taken(event)) return;
    const pressed = event.key.toLowerCase();
    const found = KEYS.find(({ key }) => key === pressed);
    if (!found) return;
    const run = found.picture && pictureMeant();
    if (found.picture && !run) return;
    if (found.run(run, trigger) !== false) event.preventDefault();
  });
}

/** Whether the key belongs to something else: a field, a dialog, a menu, the browser. */
export function taken(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  if (document.querySelector("dialog[open], .pg-menu, [aria-modal=true]")) return true;
  return Boolean(event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]:not([contenteditable=false])"));
}

/** The run of the card that has the focus, else of the one that is chosen on this tab; null where there is none. */
function pictureMeant() {
  if (seen(".pg-viewer-body")) return null; // there A and B reorder the comparison, and F is full screen
  const focused = document.activeElement?.closest?.("[data-run-id]");
  if (focused) return runOf(focused.dataset.runId);
  if (seen("#widget-stage")) return selection.chosen;
  const chosen = [...document.querySelectorAll(".pg-chosen[data-run-id]")].find((card) => card.getClientRects().length);
  return chosen ? runOf(chosen.dataset.runId) : null;
}

/** The store's card of a run; only { id } for a run that only the history's results hold. */
const runOf = (id) => store.runs.get(id) ?? { id };
const seen = (selector) => Boolean(document.querySelector(selector)?.getClientRects().length);

function searchHistory() {
  showTab("History");
  whenThere(() => {
    const box = document.getElementById("history-search");
    box?.focus();
    return document.activeElement === box && box !== null;
  });
}

/** Escape while nothing has the focus: dialogs, menus and focused elements handle it themselves. */
function closeWhatIsOpen() {
  if (document.activeElement !== document.body) return false;
  const place = ["history", "grid"].map((name) => `[data-widget=${name}]`).find(seen);
  return place ? document.querySelector(place).dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" })) : false;
}

function compare(slot, run) {
  if (run.state && run.state !== "done") return false;
  comparison.setSlot(slot, run.id);
  const letter = comparison.letter(run.id);
  toast(letter ? `The picture is ${letter} of the comparison.` : "The picture is no longer compared.");
}

/** Toggle a favourite. For a run that the store does not hold, press its card's star, which knows the present state. */
function star(run) {
  if (run.state) return void favourite(run);
  document.querySelector(`[data-run-id="${CSS.escape(run.id)}"] .pg-star`)?.click();
}

function reuse(run, trigger) {
  trigger("reuse", { id: run.id });
  showTab("Create");
}

/** Every key of the page, and the switch for notices. */
export function showKeys() {
  const heads = Object.keys(ELSEWHERE);
  const mine = (picture) => KEYS.filter((key) => key.told && Boolean(key.picture) === picture).map(({ told, what }) => [told, what]);
  const rows = { ...ELSEWHERE, [heads[0]]: [...ELSEWHERE[heads[0]], ...mine(false)], [heads[1]]: [...ELSEWHERE[heads[1]], ...mine(true)] };
  const sections = Object.entries(rows).map(([head, keys]) => el("section", {}, el("h3", {}, head), el("dl", { class: "pg-keys" }, keys.map(([key, what]) => [el("dt", {}, key.split("  ").map((one) => el("kbd", {}, one))), el("dd", {}, what)]))));
  const dialog = el("dialog", { class: "pg-dialog pg-keys-dialog", "aria-label": "Keys" }, el("h2", {}, "Keys"), ...sections);
  dialog.append(
    el("p", { class: "pg-muted" }, "In the viewer the wheel and a pinch zoom, dragging pans, and a double click switches between Fit and 1:1."),
    announceSwitch(),
    el("div", { class: "pg-dialog-buttons" }, button("Close", () => dialog.close())),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
