// Identifies the visitor where the browser refused our cookie: in another site's frame, or with cookies switched off.
//
// A classic script, which runs before all others: Gradio's requests and the page's own then carry a token in a header.
// Scripts cannot read the server's cookie. But a browser refuses either all cookies of its kind or none, so setting and
// reading a probe of that kind shows whether it was refused. A stored token stays in use: its pictures belong to it.

(() => {
  const HEADER = "X-Playground-Visitor";
  const STORED = "playground-visitor";
  const PROBE = "playground_probe";

  /** Make a storage fall back to memory. A browser that denies this page its storage throws at any access, at once or
   *  later; values then last as long as the page is open. */
  function standInFor(storage) {
    const real = Object.getOwnPropertyDescriptor(window, storage).get;
    const kept = new Map();
    const memory = {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => kept.set(key, String(value)),
      removeItem: (key) => kept.delete(key),
      clear: () => kept.clear(),
    };
    const get = () => {
      try {
        return real.call(window);
      } catch {
        return memory;
      }
    };
    Object.defineProperty(window, storage, { get });
  }

  function cookieIsRefused() {
    const reach = location.protocol === "https:" ? "SameSite=None; Secure; Partitioned" : "SameSite=Lax";
    document.cookie = `${PROBE}=1; Path=/; ${reach}`;
    const kept = document.cookie.includes(`${PROBE}=1`);
    document.cookie = `${PROBE}=; Path=/; Max-Age=0; ${reach}`;
    return !kept;
  }

  function newToken() {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function ownToken() {
    const kept = localStorage.getItem(STORED);
    if (kept || !cookieIsRefused()) return kept;
    const token = newToken();
    localStorage.setItem(STORED, token);
    return token;
  }

  standInFor("localStorage");
  standInFor("sessionStorage");
  const token = ownToken();
  window.playgroundVisitor = token ? { [HEADER]: token } : {};
  if (!token) return;
  const plain = window.fetch;
  window.fetch = (asked, options) => {
    const request = new Request(asked, options);
    if (new URL(request.url).origin === location.origin) request.headers.set(HEADER, token);
    return plain(request);
  };
})();
