// Above the axes: the grid's base, where it came from, and how to choose another.

import { button, el, redraw } from "../lib/dom.js";
import { get } from "../lib/api.js";
import { gridDesk as desk } from "../state/desk-of-grids.js";
import { openMenu } from "../lib/menu.js";
import { pickOne } from "../viewer/picker.js";
import { attempt } from "../lib/toast.js";

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function newBase(trigger) {
  const element = el("div", { class: "pg-grid-base" });
  const change = (event) => openMenu(event.currentTarget, [
    { name: "Another picture…", run: () => pickOne((run) => desk.rebase(run)) },
    { name: "The controls of Create", run: () => trigger("grid_base", {}) },
    desk.grid && { name: "A new grid on this base", run: () => desk.fresh() },
  ].filter(Boolean));
  return {
    element,
    draw() {
      const { base, preview, grid } = desk;
      const told = preview?.base ?? grid?.base;
      redraw(element, { base, told, grid: grid?.id, name: grid?.name }, () => {
        if (!base) return [];
        const { prompt, seed } = told?.request ?? {};
        const name = grid?.name;
        return [
          base.thumb && el("img", { class: "pg-grid-thumb", src: base.thumb, alt: "" }),
          el("p", { class: "pg-grid-base-words" },
            el("strong", { dir: "auto" }, name || "Base"),
            el("span", { class: "pg-grid-prompt", dir: "auto", title: prompt ?? "" }, prompt ?? "…"),
            told && el("span", { class: "pg-figures pg-grid-settings" }, [seed === null ? "a random seed" : `seed ${seed}`, told.caption].join(" · "))),
          el("span", { class: "pg-muted" }, { controls: "from the controls", picture: "from a picture", file: "from a file" }[base.from]),
          button("Change…", change, { "aria-haspopup": "menu", label: "Change the base" }, "Change…"),
        ];
      });
    },
  };
}

/** "Grids": the ones made before, newest first. */
export function gridsButton() {
  return button("Grids", async (event) => {
    const anchor = event.currentTarget;
    const found = await attempt(() => get("/grids"));
    if (!found) return;
    const lines = found.grids.map((grid) => ({ name: `${grid.title} · ${grid.gone ? "its pictures are deleted" : grid.cells} · ${moment.format(new Date(grid.created_at))} · ${grid.prompt.slice(0, 60)}`, run: () => desk.open(grid.id) }));
    openMenu(anchor, lines.length ? lines : [{ name: "No grids yet", run: () => {} }], "pg-prompt-menu");
  }, { "aria-haspopup": "menu", title: "Grids made before" });
}
