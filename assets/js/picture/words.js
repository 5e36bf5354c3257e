// What every list says of a picture, and the two buttons that put one into the comparison.

import { button, el } from "../lib/dom.js";
import { comparison } from "../state/comparison.js";

/** A and B: the first and the second picture of the comparison. */
export function slotButtons(run, classes = "pg-button") {
  const letter = comparison.letter(run.id);
  return ["A", "B"].map((slot) =>
    button(slot, () => comparison.setSlot(slot, run.id), { class: classes, "aria-pressed": String(letter === slot), title: `Compare as ${slot}` }),
  );
}

/** For a picture that was run again: a note on whether the same came out. */
export function repeatNote(run) {
  return run.repeat_of && run.state === "done" && run.note ? el("p", { class: "pg-card-note" }, run.note.replace(/^Run again:/, "Again:")) : null;
}

/** What a running card says, in words. */
export function liveWords(run) {
  if (run.cancelling) return "cancelling…";
  if (run.note) return run.note;
  if (run.state === "running") return run.progress === null ? "running" : `running ${Math.round(run.progress * 100)} %`;
  if (run.state === "queued") return run.position ? `in queue · ${run.position} ahead` : "in queue · next";
  return { pending: "waiting for its turn", submitting: "sending", submitted: "sent" }[run.state];
}

export const altText = (run) => `${run.prompt.slice(0, 120)}${run.prompt.length > 120 ? "…" : ""} (seed ${run.seed})`;
