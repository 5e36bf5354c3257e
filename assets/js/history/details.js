// The side panel: one picture of the results, everything about it, and what can be done with it.

import { copyLink, deleteRun, download, favourite, nearby, newSeeds, pressing, repeat, showCode } from "../picture/actions.js";
import { get } from "../lib/api.js";
import { comparison } from "../state/comparison.js";
import { button, el, icon, kilobytes, redraw, seconds } from "../lib/dom.js";
import { altText, liveWords, slotButtons } from "../picture/words.js";
import { gridDesk } from "../state/desk-of-grids.js";
import { costOf, ENDS } from "./card.js";
import { Labels } from "../picture/labels.js";
import { openMenu } from "../lib/menu.js";
import { isLive } from "../state/store.js";
import { toast } from "../lib/toast.js";

const wholePrompts = new Map(); // id → the whole prompt, where the card holds a cut one
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Panel → its parts, each redrawn by itself, so that tags and notes being typed are not lost. */
const partsOf = new WeakMap();

function makeParts(panel) {
  const [head, picture, told, figures, actions] = ["pg-h-panel-head", "pg-h-panel-place", "pg-h-panel-told", "pg-h-panel-figures", "pg-h-panel-actions"].map((name) => el("div", { class: name }));
  const labels = new Labels();
  panel.append(head, picture, el("div", { class: "pg-h-panel-scroll" }, told, labels.element, figures), actions);
  return { head, picture, told, labels, figures, actions };
}

export function drawDetails(panel, run, desk) {
  panel.hidden = !run;
  if (!run) return;
  if (!partsOf.has(panel)) partsOf.set(panel, makeParts(panel));
  const { head, picture, told, labels, figures, actions } = partsOf.get(panel);
  const { id, state, favourite: starred, failure, picture_note, note, progress, position, media, gone } = run;
  const prompt = wholePrompts.get(id) ?? run.prompt;
  const [before, after] = [desk.beside(run, -1), desk.beside(run, 1)];
  redraw(head, { id, before: before?.id, after: after?.id }, () => [
    button("Previous", () => desk.show(before), { label: "Previous picture", disabled: !before }, "‹"),
    button("Next", () => desk.show(after), { label: "Next picture", disabled: !after }, "›"),
    el("span", { class: "pg-h-gap" }),
    button("Close", () => desk.show(null), { label: "Close details" }, "Close"),
  ]);
  redraw(picture, { id, media, ...(media ? {} : { state, progress, position, note }) }, () => [pictureOf(run)]);
  redraw(told, { id, state, failure, picture_note, note, prompt, gone }, () => [
    run.failure && el("p", { class: "pg-note pg-bad" }, run.failure.message),
    gone && el("p", { class: "pg-note" }, gone),
    run.picture_note && el("p", { class: "pg-note" }, run.picture_note),
    state === "done" && run.note && el("p", { class: "pg-note" }, run.note),
    el("p", { class: "pg-muted pg-h-made" }, `${moment.format(new Date(run.created_at))} · ${run.engine === "demo" ? "Demo engine" : run.engine}`),
    el("p", { class: "pg-h-panel-prompt", dir: "auto", tabindex: "0" }, prompt),
  ]);
  redraw(figures, { id, facts: facts(run) }, () => [el("dl", { class: "pg-facts" }, ...facts(run).flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: "pg-figures" }, value)]))]);
  labels.show(run);
  redraw(actions, { id, state, starred, gone, letter: comparison.letter(id) }, () => [buttons(run, desk)]);
  if (run.prompt_cut && !wholePrompts.has(id)) {
    get(`/runs/${id}`).then((found) => {
      wholePrompts.set(id, found.request.prompt);
      if (desk.open?.id === id) drawDetails(panel, desk.open, desk);
    }, () => {});
  }
}

function pictureOf(run) {
  if (!run.media) return el("div", { class: "pg-h-panel-picture" }, el("p", { class: "pg-muted" }, isLive(run) ? liveWords(run) : "No picture"));
  const image = el("img", { alt: altText(run), width: run.width, height: run.height, decoding: "async" });
  image.src = run.media;
  return el("a", { class: "pg-h-panel-picture", href: run.media, target: "_blank", rel: "noopener", title: "Open the original" }, image);
}

/** [name, value] rows: every parameter as the server words it, then the results. */
function facts(run) {
  const rows = [...run.facts];
  if (run.bytes) rows.push(["file", kilobytes(run.bytes)]);
  if (run.state !== "done") return isLive(run) ? rows : [...rows, ["ended", ENDS[run.state]]];
  if (run.seconds !== null) rows.push(["took", seconds(run.seconds)]);
  if (run.queue_seconds >= 0.1) rows.push(["queued", seconds(run.queue_seconds)]);
  return [...rows, ["cost", costOf(run)]];
}

function buttons(run, desk) {
  const asked = (work, said) => async () => {
    const done = await work();
    if (done) toast(said ?? `${done.runs.length} more asked for.`, { name: "Show", run: () => desk.toCreate() });
  };
  const nearbyItems = [
    { name: "Guidance ± 0.5 and ± 1", run: asked(() => nearby(run, "guidance_scale")) },
    { name: "Steps ± 5 and ± 10", run: asked(() => nearby(run, "num_inference_steps")) },
  ];
  return el("div", { class: "pg-actions" },
    el("div", { class: "pg-action-row pg-action-make" },
      button("Sweep…", () => gridDesk.sweep(run), { title: "A grid of this picture with other settings", class: "pg-button pg-strong" }),
      button("Nearby", (event) => openMenu(event.currentTarget, nearbyItems), { ...pressing("nearby", run), "aria-haspopup": "menu", title: "The same seed with a little more and less" }),
      button("New seeds", asked(() => newSeeds(run)), { ...pressing("new-seeds", run), title: "Four pictures with these settings and other seeds" }),
      button("Reuse all", () => desk.toCreate("reuse", run), { title: "Put all its settings into the controls" })),
    el("div", { class: "pg-action-row" },
      button("Reuse seed", () => desk.toCreate("reuse_seed", run)),
      button("Favourite", () => favourite(run), { class: "pg-button pg-favourite", "aria-pressed": String(run.favourite) }, icon("star")),
      run.state === "done" && slotButtons(run, "pg-button pg-slot")),
    el("div", { class: "pg-action-row" },
      run.state === "done" && !run.gone && button("Download", () => download(run), { title: "The picture, with its settings in the file" }),
      button("Copy code", () => showCode(run), { "aria-haspopup": "dialog" }),
      button("Copy link", () => copyLink(run))),
    el("div", { class: "pg-action-row pg-action-apart" },
      run.state === "done" && button("Run again", asked(() => repeat(run), "Asked for again with the same seed. The new picture’s note will say whether the same came out."), { ...pressing("repeat", run), title: "The same picture again, to see whether the same bytes come out" }),
      el("span", { class: "pg-h-gap" }),
      button("Delete", () => deleteRun(run), { class: "pg-button pg-danger" })));
}
