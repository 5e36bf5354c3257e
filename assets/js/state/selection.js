// Which picture the stage shows: the chosen one, else the newest that is done or on its way.

import { store } from "./store.js";

class Selection extends EventTarget {
  id = null;

  constructor() {
    super();
    // After a press of Generate, the stage goes back to the newest picture.
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

  /** The newest picture. Of several that were requested together, the first to arrive stays, so that nothing jumps. */
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
