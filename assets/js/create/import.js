// Imports an export that is dropped anywhere on the page, or chosen, and shows the outcome.

import { button, el } from "../lib/dom.js";
import { notice } from "../lib/notices.js";
import { store } from "../state/store.js";
import { attempt } from "../lib/toast.js";

const NAMES = /\.(zip|jsonl)$/i;

export const isExport = (file) => NAMES.test(file.name);

export function chooseExport() {
  const input = el("input", { type: "file", accept: ".zip,.jsonl", onchange: () => input.files[0] && importExport(input.files[0]) });
  input.click();
}

/** Upload the file and show the import's progress. Several imports may run at once. */
export async function importExport(file) {
  const words = el("span", {}, `Restoring ${file.name}…`);
  const shown = notice();
  shown.append(words);
  try {
    const found = await send(file, (text) => { words.textContent = text; });
    shown.replaceChildren(el("span", {}, told(found)), button("Close", () => shown.remove()));
    await attempt(() => store.again());
    if (found.grids?.length === 1) document.dispatchEvent(new CustomEvent("playground-open-grid", { detail: { grid: found.grids[0] } }));
  } catch (error) {
    shown.setAttribute("role", "alert");
    shown.replaceChildren(el("span", {}, error.message), button("Close", () => shown.remove()));
  }
}

/** Uses XMLHttpRequest because it reports the progress of an upload, which fetch does not. */
function send(file, tell) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/archive/imports");
    for (const [name, value] of Object.entries(window.playgroundVisitor)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => tell(loaded < total ? `Sending ${file.name}: ${Math.floor((100 * loaded) / total)} %` : `Checking ${file.name}…`);
    request.onprogress = () => {
      const { pictures } = lastLine(request.responseText);
      if (pictures) tell(`Restoring ${file.name}: ${pictures.toLocaleString()} pictures…`);
    };
    request.onerror = () => reject(new Error(`${file.name} could not be sent. Is the server running? Nothing was restored, unless the History shows it.`));
    request.onload = () => {
      const answer = lastLine(request.responseText);
      if (answer.restored === undefined) reject(new Error(answer.message ?? answer.detail ?? `The server answered ${request.status}.`));
      else resolve(answer);
    };
    request.send(file);
  });
}

function lastLine(text) {
  const lines = text.trim().split("\n");
  try {
    return JSON.parse(lines.at(-1)) ?? {};
  } catch {
    return {}; // the last line is still incomplete
  }
}

/** `31 restored, 4 were here already.` */
function told({ restored, here, originals, without }) {
  const parts = [`${restored.toLocaleString()} restored`];
  if (here) parts.push(`${here.toLocaleString()} ${here === 1 ? "was" : "were"} here already`);
  const back = Math.max(0, originals - (restored - without));
  const notes = [`${parts.join(", ")}.`];
  if (back) notes.push(`${back.toLocaleString()} missing ${back === 1 ? "original is" : "originals are"} back.`);
  if (without) notes.push(`${without.toLocaleString()} without ${without === 1 ? "its original, which is" : "their originals, which are"} not in the file.`);
  return notes.join(" ");
}
