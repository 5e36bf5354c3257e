// Example prompts by theme, and the visitor's recent ones, as menus under the prompt.

import { el } from "./dom.js";
import { acceptDrops, chooseFile } from "./files.js";
import { openMenu } from "./menu.js";
import { store } from "./store.js";

const RECENT = 8;

export async function mountPrompts(element, { trigger }) {
  const response = await fetch(new URL("../examples.json", import.meta.url));
  const themes = response.ok ? await response.json() : [];
  const use = (prompt) => trigger("use_prompt", { prompt });
  const restore = (found) => trigger("from_file", found);
  acceptDrops(restore);
  const chips = themes.map(({ theme, prompts }) =>
    chip(theme, () => prompts.map((prompt) => ({ name: prompt, run: () => use(prompt) }))),
  );
  const recent = chip("Recent", () => {
    const prompts = [...new Set(store.newest.filter((run) => !run.prompt_cut).map((run) => run.prompt))].slice(0, RECENT);
    const fromFile = { name: "Settings from a picture’s file…", run: () => chooseFile(restore) };
    return [...prompts.map((prompt) => ({ name: prompt, run: () => use(prompt) })), fromFile];
  });
  element.append(el("div", { class: "pg-prompt-chips", role: "group", "aria-label": "Examples" }, ...chips, recent));
}

function chip(name, items) {
  return el("button", { type: "button", class: "pg-chip-button", "aria-haspopup": "menu", onclick: (event) => openMenu(event.currentTarget, items(), "pg-prompt-menu") }, name);
}
