// What can be done with an existing grid: check that the seed repeats, judge it blind, download it as a file.

import { copy } from "../picture/actions.js";
import { button, el, redraw } from "../lib/dom.js";
import { fetchFile } from "../lib/download.js";
import { gridAddress, gridDesk as desk } from "../state/desk-of-grids.js";
import { openMenu } from "../lib/menu.js";

const SHEETS = [
  { name: "Picture (PNG), for a client: title and values", path: "sheet.png?preset=client" },
  { name: "Picture (PNG), technical: everything", path: "sheet.png?preset=technical" },
  { name: "PDF, for a client: title and values", path: "sheet.pdf?preset=client" },
  { name: "PDF, technical: everything", path: "sheet.pdf?preset=technical" },
];

export function newTools() {
  const element = el("div", { class: "pg-grid-tools" });
  return {
    element,
    draw() {
      const { grid, edited } = desk;
      const done = grid ? desk.progress.done : 0;
      redraw(element, { id: grid?.id, name: grid?.name, edited, some: done > 0, more: done > 1, checking: grid?.repeat?.kind === "running", busy: desk.busy }, () => (!grid || edited ? [] : [
        button("Repeat check", () => desk.act("repeat"), { disabled: !done || desk.busy || grid.repeat?.kind === "running", title: "Makes one picture a second time and says whether the two are equal: a hosted seed need not repeat" }),
        button("Blind pick", () => blind(grid), { disabled: done < 2, "aria-haspopup": "dialog", title: "Judge one axis without knowing which value made which picture" }),
        button("Sheet", (event) => openMenu(event.currentTarget, SHEETS.map(({ name, path }) => ({ name, run: () => fetchFile(`/grids/${grid.id}/${path}`) }))), { disabled: !done, "aria-haspopup": "menu", title: "A labelled contact sheet" }),
        button("HTML", () => fetchFile(`/grids/${grid.id}/page.html`), { disabled: !done, title: "One page with everything inside, which opens offline" }),
        button("ZIP", () => fetchFile(`/grids/${grid.id}/archive.zip`), { disabled: !done, title: "The originals and the plan; dropped on this page, it restores the grid" }),
        button("Copy link", () => copy(gridAddress(grid.id), "The link is copied.")),
        button("Rename…", () => askForName(grid), { "aria-haspopup": "dialog" }),
        button("Delete", () => desk.remove(), { class: "pg-button pg-danger pg-grid-delete", title: "Delete the grid; its pictures stay" }),
      ]));
    },
  };
}

function askForName(grid) {
  const input = el("input", { id: "pg-grid-name", type: "text", maxlength: 100, autocomplete: "off", dir: "auto", placeholder: grid.title });
  input.value = grid.name;
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": "Rename the grid" });
  const save = async (event) => {
    event.preventDefault();
    if (await desk.rename(input.value)) dialog.close();
  };
  dialog.append(
    el("h2", {}, "Rename the grid"),
    el("form", { onsubmit: save },
      el("label", { for: "pg-grid-name" }, "Name (empty: its axes)"), input,
      el("div", { class: "pg-dialog-buttons" }, button("Cancel", () => dialog.close()), el("button", { type: "submit", class: "pg-button pg-primary" }, "Rename"))),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  input.select();
}

async function blind(grid) {
  const { openBlind } = await import("../blind/blind.js");
  openBlind({ gridId: grid.id, axes: grid.axes.map(({ label, labels }, axis) => ({ axis, name: label, count: labels.length })) });
}
