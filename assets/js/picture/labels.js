// A picture's tags and notes, edited in place. The element stays while a picture is shown, so nothing typed is lost.

import { get, post } from "../lib/api.js";
import { button, el, redraw } from "../lib/dom.js";
import { store } from "../state/store.js";
import { attempt } from "../lib/toast.js";

const TAG_MAX = 40;
const NOTES_MAX = 2000;
const wholeNotes = new Map(); // id → the whole notes, where the card holds cut ones
let count = 0;

/** The tags in use in the chosen project, those of most pictures first. */
export const usedTags = () => get(`/history/tags?${new URLSearchParams({ project: store.project })}`).then(({ tags }) => tags, () => []);

/** Notify those parts of the page that list the tags in use that these may have changed. */
export const tagsChanged = () => document.dispatchEvent(new CustomEvent("playground-tagged"));

export class Labels {
  run = null;

  constructor() {
    const number = (count += 1);
    this.tags = el("span", { class: "pg-tags", role: "list", "aria-label": "Tags" });
    this.known = el("datalist", { id: `pg-tags-${number}` });
    this.input = el("input", { class: "pg-tag-input", "aria-label": "Add a tag", placeholder: "Add tag", maxlength: TAG_MAX, list: this.known.id, autocomplete: "off", autocapitalize: "off", dir: "auto", enterkeyhint: "done" });
    this.notes = el("textarea", { class: "pg-notes", "aria-label": "Notes", placeholder: "Add notes", rows: "1", maxlength: NOTES_MAX, dir: "auto" });
    this.element = el("div", { class: "pg-labels" }, el("div", { class: "pg-tag-line" }, this.tags, this.input, this.known), this.notes);
    this.input.addEventListener("focus", () => this.suggest());
    this.input.addEventListener("keydown", (event) => this.typeTag(event));
    this.input.addEventListener("change", () => this.addTag());
    this.notes.addEventListener("input", () => (this.typed = true));
    this.notes.addEventListener("blur", () => this.saveNotes());
    this.notes.addEventListener("keydown", (event) => this.typeNotes(event));
  }

  show(run) {
    if (this.run?.id !== run.id) {
      this.saveNotes();
      this.typed = false;
      this.input.value = "";
    }
    this.run = run;
    redraw(this.tags, [run.id, run.tags], () => run.tags.map((tag) => el("span", { class: "pg-tag", role: "listitem", dir: "auto" }, el("span", {}, tag), button(`Remove the tag ${tag}`, () => this.setTags(this.run.tags.filter((one) => one !== tag)), { class: "pg-tag-remove" }, "×"))));
    if (!this.typed) this.notes.value = wholeNotes.get(run.id) ?? run.notes;
    if (run.notes_cut && !wholeNotes.has(run.id)) this.fetchWhole(run);
  }

  async fetchWhole(run) {
    this.notes.readOnly = true;
    const found = await attempt(() => get(`/runs/${run.id}`));
    this.notes.readOnly = false;
    if (!found) return;
    wholeNotes.set(run.id, found.notes);
    if (this.run.id === run.id) this.show(this.run);
  }

  async suggest() {
    const tags = await usedTags();
    this.known.replaceChildren(...tags.map(({ tag }) => el("option", { value: tag })));
  }

  typeTag(event) {
    if (event.key === "Enter" || event.key === ",") {
      event.preventDefault();
      this.addTag();
    }
    if (event.key === "Backspace" && !this.input.value && this.run.tags.length) this.setTags(this.run.tags.slice(0, -1));
    if (event.key === "Escape" && this.input.value) {
      event.stopPropagation();
      this.input.value = "";
    }
  }

  addTag() {
    const tag = this.input.value.trim();
    this.input.value = "";
    if (tag) this.setTags([...this.run.tags, tag]);
  }

  async setTags(tags) {
    if (await attempt(() => post(`/runs/${this.run.id}/tags`, { tags }))) tagsChanged();
  }

  typeNotes(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.notes.blur();
    if (event.key === "Escape") {
      event.stopPropagation();
      this.typed = false;
      this.show(this.run);
      this.notes.blur();
    }
  }

  async saveNotes() {
    if (!this.typed) return;
    this.typed = false;
    const [run, notes] = [this.run, this.notes.value];
    if (!(await attempt(() => post(`/runs/${run.id}/notes`, { notes })))) {
      if (this.run.id !== run.id) return;
      this.typed = true; // what was written stays in the field
      this.notes.value = notes;
    } else if (wholeNotes.has(run.id)) wholeNotes.set(run.id, notes.trim());
  }
}
