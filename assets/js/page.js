// The page's scripts. Gradio's widgets call `mount` when they are there; handlers and scripts talk through the bridge.

import { mountViews } from "./compare-views.js";
import { comparison } from "./comparison.js";
import { prepareCreate, showMessage } from "./create.js";
import { mountGallery } from "./gallery.js";
import { watchForGonePictures } from "./gone.js";
import { mountGrid } from "./grid.js";
import { gridDesk } from "./grid-desk.js";
import { mountHeader } from "./header.js";
import { mountHistory } from "./history.js";
import { mountPrompts } from "./prompts.js";
import { mountStage } from "./stage.js";
import { store } from "./store.js";
import { toast } from "./toast.js";
import { watchRemoved } from "./removed.js";
import { mountViewer } from "./viewer.js";

const mounts = { header: mountHeader, stage: mountStage, gallery: mountGallery, history: mountHistory, prompts: mountPrompts, viewer: mountViewer, views: mountViews, grid: mountGrid };
let send = () => toast("The page is still loading. Try again in a moment.");

/** Fill a widget's place. */
export function mount(name, element) {
  mounts[name](element, { trigger: (event, data) => send(event, data) });
}

/** The bridge is there: events can reach the handlers. */
export function connect(trigger) {
  send = trigger;
}

/** A handler's message for the page. */
export function hear(message) {
  if (message) showMessage(message);
}

prepareCreate();
watchForGonePictures();
comparison.start(); // opens ?compare=… links: the script of a tab that was never opened has not run
gridDesk.start();
watchRemoved();
store.start().catch((error) => toast(error.message));
