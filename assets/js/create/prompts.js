// Example prompts by theme, and the visitor's recent ones, as menus under the prompt.

import { el } from "../lib/dom.js";
import { acceptDrops, chooseFile } from "./files.js";
import { openMenu } from "../lib/menu.js";
import { store } from "../state/store.js";

const RECENT = 8;
const REPLACED = "playground-replaced-prompts";

export async function mountPrompts(element, { trigger }) {
  const response = await fetch(new URL("../../examples.json", import.meta.url));
  const themes = response.ok ? await response.json() : [];
  const use = (prompt, typed = false) => trigger("use_prompt", { prompt, typed });
  const useSettings = (found) => trigger("from_file", found);
  acceptDrops(useSettings);
  const chips = themes.map(({ theme, prompts }) =>
    chip(theme, () => prompts.map((prompt) => ({ name: prompt, run: () => use(prompt) }))),
  );
  const recent = chip("Recent", () => {
    const typed = replaced();
    const prompts = [...new Set([...typed, ...store.newest.filter((run) => !run.prompt_cut).map((run) => run.prompt)])].slice(0, RECENT);
    const fromFile = { name: "Settings from a picture’s file…", run: () => chooseFile(useSettings) };
    return [...prompts.map((prompt) => ({ name: prompt, run: () => use(prompt, typed.includes(prompt)) })), fromFile];
  });
  element.append(el("div", { class: "pg-prompt-chips", role: "group", "aria-label": "Examples" }, ...chips, recent));
}

function chip(name, items) {
  return el("button", { type: "button", class: "pg-chip-button", "aria-haspopup": "menu", onclick: (event) => openMenu(event.currentTarget, items(), "pg-prompt-menu") }, name);
}

/** Prompts that were in the field when another took their place, newest first. */
const replaced = () => JSON.parse(sessionStorage.getItem(REPLACED) ?? "[]");

/** Nothing typed is lost: what another prompt replaces is found under Recent, in this browser tab. */
export function rememberPrompt(prompt) {
  if (!prompt?.trim()) return;
  sessionStorage.setItem(REPLACED, JSON.stringify([...new Set([prompt, ...replaced()])].slice(0, RECENT / 2)));
}
