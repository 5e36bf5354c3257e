// Waits for a moment in which the user does nothing with the page.

const QUIET_MS = 4000;
const LOOK_MS = 500;
let touched = 0; // when the user did something last; ms
const now = () => performance.now();
const notice = () => (touched = now());

for (const name of ["pointerdown", "keydown", "input", "wheel"]) globalThis.addEventListener?.(name, notice, { capture: true, passive: true });

/** Resolves when nothing was pressed for QUIET_MS and no dialog or menu is open. A page in the background is idle. */
export async function idle() {
  while (!document.hidden && (now() - touched < QUIET_MS || document.querySelector("dialog[open], [role=menu]"))) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
