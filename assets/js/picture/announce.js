// Announces finished pictures to users who look elsewhere or use a screen reader: the title's badge, a live region,
// and, only where it was switched on, a notification when a long batch is done in the background.

import { el } from "../lib/dom.js";
import { isLive, store } from "../state/store.js";
import { toast } from "../lib/toast.js";

const TOGETHER_MS = 700; // pictures that end within it are announced in one sentence
const LONG_MS = 30_000;
const MANY = 8;
const SWITCH = "playground-notify";

let batch = null; // since work began: { from, done, failed }
let untold = { done: 0, failed: 0 };
const states = new Map(); // id → the last known state

export function startAnnouncing() {
  const region = document.body.appendChild(el("div", { class: "pg-unseen", id: "pg-finished", role: "status", "aria-live": "polite" }));
  let telling = 0;
  store.addEventListener("change", () => {
    const live = countLive();
    const ended = endings();
    if (live && !batch) batch = { from: Date.now(), done: 0, failed: 0 };
    for (const sum of [batch, untold]) {
      if (!sum) continue;
      sum.done += ended.done;
      sum.failed += ended.failed;
    }
    if (ended.done || ended.failed) {
      telling ||= setTimeout(() => {
        telling = 0;
        region.textContent = sentence(untold, countLive());
        untold = { done: 0, failed: 0 };
      }, TOGETHER_MS);
    }
    if (!live && batch) finish();
    badge(live);
  });
  document.addEventListener("visibilitychange", () => badge(countLive()));
}

/** How many runs have ended since the last call, of those that were seen under way. */
function endings() {
  const ended = { done: 0, failed: 0 };
  for (const [id, { state }] of store.runs) {
    const before = states.get(id);
    if (before === state) continue;
    states.set(id, state);
    if (!before || !isLive({ state: before })) continue;
    if (state === "done") ended.done += 1;
    if (state === "failed" || state === "unknown") ended.failed += 1;
  }
  return ended;
}

/** How many runs are under way. Of a grid's runs only the newest may be known here, so its stack's figure counts. */
function countLive() {
  const grids = new Set();
  let live = 0;
  for (const run of store.runs.values()) {
    if (run.deleted) continue;
    if (!store.isStacked(run)) live += Number(isLive(run));
    else if (!grids.has(run.grid)) {
      grids.add(run.grid);
      live += store.stacks.get(run.grid)?.live ?? 0;
    }
  }
  return live;
}

const pictures = (count) => `${count} ${count === 1 ? "picture" : "pictures"}`;

function sentence({ done, failed }, live) {
  return [done && `${pictures(done)} finished`, failed && `${failed} failed`, live && `${live} still running`].filter(Boolean).join(", ") + ".";
}

function finish() {
  const { from, done, failed } = batch;
  batch = null;
  if (!document.hidden || !(done || failed)) return;
  document.documentElement.dataset.finished = "";
  const long = Date.now() - from > LONG_MS || done + failed >= MANY;
  if (long && isOn()) notify(sentence({ done, failed }, 0));
}

function badge(live) {
  if (!document.hidden) delete document.documentElement.dataset.finished;
  const plain = document.title.replace(/^(\(\d+\)|✓) /, "");
  const mark = live ? `(${live}) ` : "finished" in document.documentElement.dataset ? "✓ " : "";
  if (document.title !== mark + plain) document.title = mark + plain;
}

// -- notifications --------------------------------------------------------------------------------------------------------

const isOn = () => localStorage.getItem(SWITCH) === "on" && globalThis.Notification?.permission === "granted";

function notify(text) {
  try {
    const told = new Notification(document.title.replace(/^✓ /, ""), { body: text, tag: "playground-batch" });
    told.onclick = () => {
      focus();
      told.close();
    };
  } catch (error) {
    // Mobile browsers define Notification, but its constructor throws.
    localStorage.removeItem(SWITCH);
    toast(`This browser shows no notifications: ${error.message}`);
  }
}

/** The switch; the browser is asked for its permission only when it is pressed. */
export function announceSwitch() {
  const box = el("input", { type: "checkbox", role: "switch" });
  const help = el("span", { class: "pg-muted" });
  const draw = (words = "") => {
    box.checked = isOn();
    help.textContent = words || "A notification of the browser, while this tab is in the background: after 30 seconds, or 8 pictures.";
  };
  box.addEventListener("change", async () => {
    if (!box.checked) {
      localStorage.removeItem(SWITCH);
      return draw();
    }
    const answer = (await globalThis.Notification?.requestPermission()) ?? "unsupported";
    if (answer === "granted") localStorage.setItem(SWITCH, "on");
    draw({ denied: "The browser does not allow notifications of this page. Its settings can change that.", unsupported: "This browser has no notifications." }[answer]);
  });
  draw();
  return el("div", { class: "pg-switch" }, el("label", {}, box, el("span", {}, "Tell me when a long batch is done")), help);
}
