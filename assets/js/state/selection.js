// Which picture the stage shows: the chosen one, else the newest that is done or on its way.

import { store } from "./store.js";

class Selection extends EventTarget {
  id = null;

  constructor() {
    super();
    // A press of Generate asks to see what comes: the stage goes back to the newest.
    document.addEventListener("playground-asked", () => this.choose(null));
  }

  choose(id) {
    this.id = id;
    this.dispatchEvent(new Event("change"));
  }

  get chosen() {
    const mine = this.id && store.runs.get(this.id);
    if (mine && !mine.deleted) return mine;
    return this.newest;
  }

  /** The newest picture. Of several that were asked for together, the first to arrive stays: nothing jumps. */
  get newest() {
    const runs = store.newest;
    const done = runs.find((run) => run.state === "done");
    const shown = store.runs.get(this.shown);
    if (!done) return runs[0] ?? null;
    if (!shown || shown.deleted || shown.created_at < done.created_at) this.shown = done.id;
    return store.runs.get(this.shown);
  }
}

export const selection = new Selection();
