// Settings from a picture's file: dropped anywhere on the page, or chosen. The bytes go to the server as they are.
// A dropped export is imported.

import { el } from "../lib/dom.js";
import { gridDesk } from "../state/desk-of-grids.js";
import { isExport, importExport } from "./import.js";
import { attempt, toast } from "../lib/toast.js";

const LARGEST_BYTES = 64 * 2 ** 20;

/** Let pictures be dropped on the page; `use` gets what was found in one. */
export function acceptDrops(use) {
  const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    document.body.classList.add("pg-dropping");
  });
  for (const end of ["dragleave", "drop"]) {
    document.addEventListener(end, (event) => (end === "drop" || !event.relatedTarget) && document.body.classList.remove("pg-dropping"));
  }
  document.addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    read(event.dataTransfer.files[0], use);
  });
}

/** Ask for a file. */
export function chooseFile(use) {
  const input = el("input", { type: "file", accept: "image/png,image/jpeg,image/webp,text/html,application/pdf", onchange: () => read(input.files[0], use) });
  input.click();
}

async function read(file, use) {
  if (!file) return;
  if (isExport(file)) return importExport(file);
  if (file.size > LARGEST_BYTES) return toast("This file is larger than 64 MB. Choose a picture.");
  const found = await attempt(async () => {
    const response = await fetch("/settings-of-file", { method: "POST", body: file });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.message);
    return answer;
  });
  if (!found) return;
  if (found.grid) return gridDesk.adopt(found.grid);
  const left = found.unused.length ? ` Not used: ${found.unused.join(" ")}` : "";
  use({ values: found.values, said: [`Settings from ${found.source}.`, ...found.notes].join(" ") + left });
}
