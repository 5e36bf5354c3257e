// Who this browser is where its cookie was refused: in another site's frame, or by a browser that keeps none.
//
// A classic script, which runs before all others: Gradio's requests and the page's own then carry a token in a header.
// Cookies in a frame are refused all or none, so one of the same kind that a script may read tells what became of the
// server's. A token that was given once is kept: its pictures are under it.

(() => {
  const HEADER = "X-Playground-Visitor";
  const STORED = "playground-visitor";
  const PROBE = "playground_probe";

  /** A browser that keeps nothing for this page throws where its storage is only looked at, at once or some time later:
   *  then the page remembers for as long as it is open. */
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
