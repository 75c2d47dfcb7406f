// Thumbnails of views. They are fetched with the sign-in, a few at a time, and
// only once they come into sight.
import { blob } from "/api.js";
import { Icon, html, useEffect, useRef, useState } from "/ui.js";

const atOnce = 4;

// Pictures fetches pictures for one part of the page, and lets go of them all
// when it is closed.
export class Pictures {
  #waiting = [];
  #running = 0;
  #kept = new Map(); // path → promise of an address
  #closed = false;

  // get gives the address of a picture; the latest asked for comes first, since
  // it is what is looked at.
  get(path) {
    if (!this.#kept.has(path)) {
      this.#kept.set(path, new Promise((resolve, reject) => {
        this.#waiting.push({ path, resolve, reject });
        this.#next();
      }));
    }
    return this.#kept.get(path);
  }

  #next() {
    if (this.#running >= atOnce || this.#waiting.length === 0 || this.#closed) return;
    const { path, resolve, reject } = this.#waiting.pop();
    this.#running++;
    blob(path).then((picture) => {
      if (!this.#closed) resolve(URL.createObjectURL(picture));
    }).catch(reject).finally(() => {
      this.#running--;
      this.#next();
    });
  }

  close() {
    this.#closed = true;
    for (const address of this.#kept.values()) address.then(URL.revokeObjectURL, () => {});
  }
}

// usePictures gives the pictures of a part of the page.
export function usePictures() {
  const kept = useRef(null);
  kept.current ||= new Pictures();
  useEffect(() => () => {
    kept.current.close();
    kept.current = null;
  }, []);
  return kept.current;
}

export const previewPath = (connection, view) => `/v1/connections/${connection}/views/${encodeURIComponent(view)}/preview`;

// Thumb is a view's thumbnail, and a plain sheet for as long as there is none.
export function Thumb({ pictures, path }) {
  const box = useRef(null);
  const [address, setAddress] = useState("");
  useEffect(() => {
    let wanted = true;
    setAddress("");
    if (!path) return undefined;
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      pictures.get(path).then((found) => wanted && setAddress(found), () => {}); // the plain sheet stays
    }, { rootMargin: "120px" });
    seen.observe(box.current);
    return () => {
      wanted = false;
      seen.disconnect();
    };
  }, [path]);
  return html`<span class="thumb" ref=${box} aria-hidden="true">${address ? html`<img src=${address} alt="" />` : html`<${Icon} name="file" size=${20} />`}</span>`;
}
