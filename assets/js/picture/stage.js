// The stage: the chosen picture as large as the window leaves, and beside it everything about it.

import { copyLink, deleteRun, download, favourite, nearby, newSeeds, pressing, repeat, showCode } from "./actions.js";
import { get } from "../lib/api.js";
import { comparison } from "../state/comparison.js";
import { button, el, icon, kilobytes, money, redraw, seconds } from "../lib/dom.js";
import { gridDesk } from "../state/desk-of-grids.js";
import { altText, liveWords, slotButtons } from "./words.js";
import { Labels } from "./labels.js";
import { openMenu } from "../lib/menu.js";
import { selection } from "../state/selection.js";
import { isLive, store } from "../state/store.js";

const wholePrompts = new Map(); // id → the whole prompt, where the card holds a cut one

export function mountStage(element, { trigger }) {
  const picture = el("div", { class: "pg-stage-picture" });
  const panel = el("aside", { class: "pg-details", "aria-label": "Details" });
  element.append(picture, panel);
  const draw = () => {
    const run = selection.chosen;
    element.dataset.state = run?.state ?? "empty";
    drawPicture(picture, run);
    drawDetails(panel, run, trigger);
  };
  store.addEventListener("change", draw);
  selection.addEventListener("change", draw);
  comparison.addEventListener("change", draw);
  draw();
}

function drawPicture(place, run) {
  if (!run) {
    return redraw(place, { empty: store.loaded }, () => (store.loaded ? [empty()] : []));
  }
  const { id, media, state, position, progress, note, cancelling } = run;
  redraw(place, { id, media, state, ...(media ? {} : { position, progress, note, cancelling }) }, () => {
    if (!media) return [isLive(run) ? onItsWay(run) : el("p", { class: "pg-muted" }, "No picture")];
    const image = el("img", { alt: altText(run), width: run.width, height: run.height, decoding: "async", class: "pg-stage-image" });
    image.src = run.media;
    return [image];
  });
}

function onItsWay(run) {
  const bar = el("div", { class: "pg-bar" }, el("div", { style: `width:${Math.round((run.progress ?? 0) * 100)}%` }));
  return el("div", { class: "pg-stage-live" }, el("span", {}, liveWords(run)), bar);
}

function empty() {
  return el("div", { class: "pg-empty" }, el("p", { class: "pg-strong" }, "Write a prompt and press Generate."), el("p", {}, store.engine === "demo" ? "No fal key is set, so the demo engine paints: procedural pictures, free, no model. Add a key for the real one." : "Pictures from fal appear here."));
}

function drawDetails(panel, run, trigger) {
  if (!run) return;
  panel.parts ??= makeParts(panel);
  const { facts: told, words, labels, actions } = panel.parts;
  const { id, state, favourite: starred, seconds: took, bytes, failure, picture_note, note } = run;
  const prompt = wholePrompts.get(id) ?? run.prompt;
  const letter = comparison.letter(id);
  redraw(told, { id, state, took, bytes }, () => [folding(el("dl", { class: "pg-facts" }, ...facts(run).flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: "pg-figures" }, value)])))]);
  redraw(words, { id, state, failure, picture_note, note, prompt, gone: run.gone }, () => [
    run.gone && el("p", { class: "pg-note" }, run.gone),
    run.picture_note && el("p", { class: "pg-note" }, run.picture_note),
    ["done", "cancelled"].includes(state) && run.note && el("p", { class: "pg-note" }, run.note),
    run.failure && el("p", { class: "pg-note pg-bad" }, run.failure.message),
    el("p", { class: "pg-details-prompt", dir: "auto", tabindex: "0" }, prompt),
  ]);
  labels.show(run);
  redraw(actions, { id, state, starred, letter }, () => [buttons(run, trigger)]);
  if (run.prompt_cut && !wholePrompts.has(id)) {
    get(`/runs/${id}`).then((found) => {
      wholePrompts.set(id, found.request.prompt);
      if (selection.chosen?.id === id) drawDetails(panel, run, trigger);
    }, () => {});
  }
}

/** The panel's parts, each redrawn by itself, so that tags and notes being typed are not lost. */
function makeParts(panel) {
  const [facts, words, actions] = ["pg-details-facts", "pg-details-words", "pg-details-actions"].map((name) => el("div", { class: name }));
  const labels = new Labels();
  panel.append(facts, words, labels.element, actions);
  return { facts, words, labels, actions };
}

const narrow = matchMedia("(max-width: 899px)");
let unfolded = false;

narrow.addEventListener("change", () => document.querySelectorAll(".pg-fold").forEach((fold) => (fold.open = !narrow.matches || unfolded)));

/** On a phone the facts fold away, and stay as they were left; elsewhere they are open. */
function folding(facts) {
  const fold = el("details", { class: "pg-fold", open: !narrow.matches || unfolded }, el("summary", {}, "Details"), facts);
  fold.addEventListener("toggle", () => narrow.matches && (unfolded = fold.open));
  return fold;
}

/** [name, value] rows: every parameter as the server words it, then the results. */
function facts(run) {
  const rows = [...run.facts];
  if (run.state !== "done") return rows;
  rows.push(["file", `${run.width} × ${run.height} · ${kilobytes(run.bytes)}`]);
  const queue = run.queue_seconds >= 0.1 ? ` (queue ${seconds(run.queue_seconds)})` : "";
  if (run.seconds !== null) rows.push(["took", `${seconds(run.seconds)}${queue}`]);
  rows.push(["cost", run.engine === "demo" ? "$0 · demo" : run.billed ? money(run.cost_usd).replace("≈ ", "") : money(run.cost_usd)]);
  return rows;
}

function buttons(run, trigger) {
  const done = run.state === "done";
  const nearbyItems = [
    { name: "Guidance ± 0.5 and ± 1", run: () => nearby(run, "guidance_scale") },
    { name: "Steps ± 5 and ± 10", run: () => nearby(run, "num_inference_steps") },
  ];
  return el(
    "div",
    { class: "pg-actions" },
    el(
      "div",
      { class: "pg-action-row pg-action-make" },
      button("Sweep…", () => gridDesk.sweep(run), { title: "A grid of this picture with other settings", class: "pg-button pg-strong" }),
      button("Nearby", (event) => openMenu(event.currentTarget, nearbyItems), { ...pressing("nearby", run), "aria-haspopup": "menu", title: "The same seed with a little more and less" }),
      button("New seeds", () => newSeeds(run), { ...pressing("new-seeds", run), title: "Four pictures with these settings and other seeds" }),
      button("Reuse all", () => trigger("reuse", { id: run.id }), { title: "Put all its settings into the controls" }),
    ),
    el(
      "div",
      { class: "pg-action-row" },
      button("Reuse seed", () => trigger("reuse_seed", { id: run.id })),
      button("Favourite", () => favourite(run), { class: "pg-button pg-favourite", "aria-pressed": String(run.favourite) }, icon("star")),
      done && slotButtons(run, "pg-button pg-slot"),
    ),
    el(
      "div",
      { class: "pg-action-row" },
      done && !run.gone && button("Download", () => download(run), { title: "The picture, with its settings in the file" }),
      button("Copy code", () => showCode(run), { "aria-haspopup": "dialog" }),
      button("Copy link", () => copyLink(run)),
    ),
    el("div", { class: "pg-action-row pg-action-apart" }, done && button("Run again", () => repeat(run), { ...pressing("repeat", run), title: "The same picture again, to see whether the same bytes come out" }), el("span", { class: "pg-h-gap" }), button("Delete", () => deleteRun(run), { class: "pg-button pg-danger" })),
  );
}
