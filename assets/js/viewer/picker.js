// "+ Add picture": the newest pictures to tick. What is compared already is ticked.

import { MOST } from "../state/comparison.js";
import { button, el } from "../lib/dom.js";
import { altText } from "../picture/words.js";
import { store } from "../state/store.js";
import { attempt } from "../lib/toast.js";

export function pickPictures(ids, done) {
  const chosen = [...ids];
  const told = el("span", { class: "pg-muted", role: "status" });
  const grid = el("div", { class: "pg-picker-grid", role: "group", "aria-label": "Recent pictures" });
  const more = button("Load more", () => attempt(() => store.older()));
  const dialog = el("dialog", { class: "pg-dialog pg-picker", "aria-label": "Add pictures" }, el("h2", {}, "Add pictures"), grid, more);

  const drawTicks = () => {
    const full = chosen.length >= MOST;
    told.textContent = full ? `${MOST} of ${MOST} chosen: take one away to add another.` : `${chosen.length} of ${MOST} chosen`;
    for (const thumb of grid.children) {
      const at = chosen.indexOf(thumb.dataset.runId);
      thumb.setAttribute("aria-pressed", String(at >= 0));
      thumb.toggleAttribute("disabled", full && at < 0);
    }
    show.disabled = chosen.length < 2;
  };
  const tick = (id) => {
    if (chosen.includes(id)) chosen.splice(chosen.indexOf(id), 1);
    else chosen.push(id);
    drawTicks();
  };
  const draw = () => {
    const there = new Set([...grid.children].map((thumb) => thumb.dataset.runId));
    for (const run of store.newest) if (run.state === "done" && !there.has(run.id)) grid.append(thumbOf(run, tick));
    more.hidden = !store.more;
    drawTicks();
  };
  const show = button("Compare", () => { done(chosen); dialog.close(); }, { class: "pg-button pg-primary" });
  dialog.append(el("div", { class: "pg-dialog-buttons" }, told, button("Cancel", () => dialog.close()), show));
  dialog.addEventListener("close", () => { store.removeEventListener("change", draw); dialog.remove(); });
  store.addEventListener("change", draw);
  document.body.append(dialog);
  draw();
  dialog.showModal();
}

/** One finished picture, chosen by a press. */
export function pickOne(done) {
  const grid = el("div", { class: "pg-picker-grid", role: "group", "aria-label": "Recent pictures" });
  const more = button("Load more", () => attempt(() => store.older()));
  const dialog = el("dialog", { class: "pg-dialog pg-picker", "aria-label": "Choose a picture" }, el("h2", {}, "Choose a picture"), grid, more, el("div", { class: "pg-dialog-buttons" }, button("Cancel", () => dialog.close())));
  const choose = (id) => { dialog.close(); done(store.runs.get(id)); };
  const draw = () => {
    const there = new Set([...grid.children].map((thumb) => thumb.dataset.runId));
    for (const run of store.newest) if (run.state === "done" && !there.has(run.id)) grid.append(thumbOf(run, choose));
    more.hidden = !store.more;
  };
  dialog.addEventListener("close", () => { store.removeEventListener("change", draw); dialog.remove(); });
  store.addEventListener("change", draw);
  document.body.append(dialog);
  draw();
  dialog.showModal();
}

function thumbOf(run, tick) {
  return el("button", { type: "button", class: "pg-picker-thumb", "data-run-id": run.id, "aria-label": `${altText(run)}, ${run.caption}`, title: run.caption, onclick: () => tick(run.id) },
    el("img", { src: run.thumb, alt: "", loading: "lazy", decoding: "async", draggable: "false" }));
}
