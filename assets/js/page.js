// The page's scripts. Gradio's widgets call `mount` when they are there; handlers and scripts talk through the bridge.

import { startAnnouncing } from "./picture/announce.js";
import { mountViews } from "./grid/views.js";
import { comparison } from "./state/comparison.js";
import { prepareCreate, showMessage } from "./create/create.js";
import { startDraft } from "./state/draft.js";
import { mountGallery } from "./picture/gallery.js";
import { watchForGonePictures } from "./picture/gone.js";
import { gridDesk } from "./state/desk-of-grids.js";
import { mountHeader } from "./header/header.js";
import { listenToPageKeys } from "./header/keys.js";
import { mountPrompts } from "./create/prompts.js";
import { mountStage } from "./picture/stage.js";
import { store } from "./state/store.js";
import { toast } from "./lib/toast.js";
import { watchRemoved } from "./header/removed.js";

// The other tabs' scripts are loaded when their tab is opened, or else soon after the first tab can be used.
const history = () => import("./history/history.js");
const viewer = () => import("./viewer/viewer.js");
const grid = () => import("./grid/grid.js");
const mounts = {
  header: mountHeader,
  stage: mountStage,
  gallery: mountGallery,
  prompts: mountPrompts,
  views: mountViews,
  history: async (...place) => (await history()).mountHistory(...place),
  viewer: async (...place) => (await viewer()).mountViewer(...place),
  grid: async (...place) => (await grid()).mountGrid(...place),
};
const QUIET_MS = 3000;
let send = () => toast("The page is still loading. Try again in a moment.");

/** Fill a widget's place. */
export async function mount(name, element) {
  try {
    await mounts[name](element, { trigger: (event, data) => send(event, data) });
  } catch (error) {
    toast(`A part of this page could not be loaded. Reload it. (${error.message})`);
    throw error;
  }
}

/** Called once the bridge is there: from now on events reach the handlers. */
export function connect(trigger, settings) {
  send = trigger;
  startDraft(trigger, settings);
}

/** A handler's message for the page. */
export function hear(message) {
  if (message) showMessage(message, (...event) => send(...event));
}

prepareCreate();
startAnnouncing();
listenToPageKeys((...event) => send(...event));
watchForGonePictures();
comparison.start(); // handles ?compare=… links here, since the Compare tab's scripts have not run yet
gridDesk.start();
watchRemoved();
if (store.beganAnew()) toast("The history on the server began anew: what this page showed before is no longer there.");
store
  .start()
  .catch((error) => toast(error.message))
  // Errors are ignored here: opening a tab loads its script again.
  .finally(() => setTimeout(() => Promise.all([history(), viewer(), grid()]).catch(() => {}), QUIET_MS));
