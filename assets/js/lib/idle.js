// Waits for a moment in which the user does nothing with the page.

const QUIET_MS = 4000;
const LOOK_MS = 500;
let touched = 0; // when the user did something last; ms
const now = () => performance.now();
const notice = () => (touched = now());

for (const name of ["pointerdown", "keydown", "input", "wheel"]) {
  globalThis.addEventListener?.(name, notice, { capture: true, passive: true });
}

/** Whether the focus is in a text that a reload would lose: the controls of Create are kept, other texts are not. */
function isWriting() {
  const field = document.activeElement;
  return Boolean(field?.matches?.("input:not([type=checkbox], [type=radio]), textarea") && field.value && !field.closest("#create"));
}

/** Resolves when nothing was pressed for QUIET_MS, no dialog or menu is open and no text is being written. A page in the
 *  background is idle unless a text is being written in it. */
export async function idle() {
  const isBusy = () => now() - touched < QUIET_MS || document.querySelector("dialog[open], [role=menu]");
  while (isWriting() || (!document.hidden && isBusy())) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
