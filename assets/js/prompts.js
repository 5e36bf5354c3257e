// Example prompts by theme, and the visitor's recent ones, as menus under the prompt.

import { el } from "./dom.js";
import { openMenu } from "./menu.js";
import { store } from "./store.js";

const RECENT = 8;

export async function mountPrompts(element, { trigger }) {
  const response = await fetch(new URL("../examples.json", import.meta.url));
  const themes = response.ok ? await response.json() : [];
  const use = (prompt) => trigger("use_prompt", { prompt });
  const chips = themes.map(({ theme, prompts }) =>
    chip(theme, () => prompts.map((prompt) => ({ name: prompt, run: () => use(prompt) }))),
  );
  const recent = chip("Recent", () => {
    const prompts = [...new Set(store.newest.filter((run) => !run.prompt_cut).map((run) => run.prompt))].slice(0, RECENT);
    if (!prompts.length) return [{ name: "Your prompts will be listed here.", run: () => {} }];
    return prompts.map((prompt) => ({ name: prompt, run: () => use(prompt) }));
  });
  element.append(el("div", { class: "pg-prompt-chips", role: "group", "aria-label": "Examples" }, ...chips, recent));
}

function chip(name, items) {
  return el("button", { type: "button", class: "pg-chip-button", "aria-haspopup": "menu", onclick: (event) => openMenu(event.currentTarget, items(), "pg-prompt-menu") }, name);
}
