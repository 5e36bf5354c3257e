// Buttons that make pictures. Each press has a key of its own: however often it is sent, the server makes its pictures
// once. So where the server cannot be reached, the press is kept and sent again.

import { ask } from "./api.js";
import { toast } from "./toast.js";

const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]; // before a press is sent again
const held = new Set(); // names of the presses that are not answered yet

/** A random name: crypto.randomUUID is missing on pages that came over plain HTTP from another machine. */
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** POST a press. */
export async function pay(path, body = {}) {
  const headers = { "Idempotency-Key": newKey() };
  const response = await patiently(() => ask("POST", path, body, headers));
  return response.json().catch(() => ({}));
}

/** Call `send` until it reaches the server, for a minute. It must send the same key each time. */
export async function patiently(send) {
  for (let at = 0; ; at += 1) {
    try {
      return await send();
    } catch (error) {
      if (error.answered || at === PAUSES_MS.length) throw error;
      if (at === 0) toast("The server cannot be reached. Your press is kept, and sent when it can.");
      await new Promise((done) => setTimeout(done, PAUSES_MS[at]));
    }
  }
}

/** Hold every button of this name until `work` has ended; while it is held, another press of it does nothing. */
export async function hold(name, work) {
  if (held.has(name)) return null;
  const focused = document.activeElement?.dataset?.press === name ? document.activeElement : null;
  held.add(name);
  mark(name);
  try {
    return await work();
  } finally {
    held.delete(name);
    mark(name);
    // A disabled button loses the focus.
    if (focused?.isConnected && document.activeElement === document.body) focused.focus({ preventScroll: true });
  }
}

/** The attributes of a button of this name: held if the press is not answered yet. */
export const pressOf = (name) => ({ "data-press": name, ...(held.has(name) ? { disabled: true, "aria-busy": "true" } : {}) });

function mark(name) {
  for (const button of document.querySelectorAll(`[data-press="${name}"]`)) {
    button.disabled = held.has(name);
    if (held.has(name)) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
  }
}
