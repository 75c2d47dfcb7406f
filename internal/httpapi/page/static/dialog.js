// Dialogs: the rest of the page is inert, the focus stays inside and returns to
// where it was, and Escape closes.
import { useEffect, useId, useLayoutEffect, useRef, useState } from "/vendor/hooks.mjs";
import { h } from "/vendor/preact.mjs";
import htm from "/vendor/htm.mjs";
import { useGuard } from "/guard.js";
import { Icon } from "/icons.js";
import { Live } from "/live.js";

const html = htm.bind(h);
const focusable = 'a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), summary, iframe, [tabindex="0"]';

// Dialog shows its children over the page until its owner no longer renders it.
// close is called when the person wants to leave: by Escape, or the cross. With
// dirty, it first asks whether what was typed may go; with locked, it does
// nothing, since something is under way. So do a link and the browser's way
// back. footer is the row of buttons; a button in it that only closes takes the
// function that it is given.
export function Dialog({ title, lead, close, dirty = false, locked = false, wide = false, footer, children }) {
  const box = useRef(null);
  const name = useId();
  const [asking, setAsking] = useState(false); // or the address that is left for
  const wish = useRef(null);
  const go = useGuard(dirty || locked, (to) => locked || setAsking(to));
  wish.current = () => {
    if (locked) return;
    if (dirty && !asking) setAsking(true);
    else if (asking) keepOn();
    else close();
  };

  useLayoutEffect(() => {
    const opener = document.activeElement;
    const dialog = box.current;
    dialog.showModal();
    document.documentElement.classList.add("covered");
    const first = dialog.querySelector("[data-first]") || dialog.querySelector(".dialog-body input, .dialog-body select, .dialog-body textarea");
    (first || dialog.querySelector("h2")).focus();
    return () => {
      dialog.close();
      if (!document.querySelector("dialog[open]")) document.documentElement.classList.remove("covered");
      // What opened it may be gone, with what it stood for.
      setTimeout(() => {
        if (document.querySelector("dialog[open]")) return;
        if (opener?.isConnected && opener !== document.body) opener.focus();
        else document.querySelector("h1")?.focus();
      });
    };
  }, []);
  useEffect(() => {
    if (asking) box.current.querySelector(".asking button")?.focus();
  }, [asking]);

  const pressed = (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      wish.current();
    }
    if (event.key !== "Tab") return;
    // Round and round: not out to the browser's own buttons.
    const inside = [...box.current.querySelectorAll(focusable)].filter((e) => e.tabIndex >= 0 && e.checkVisibility());
    const [first, last] = [inside[0], inside.at(-1)];
    if (event.shiftKey && (document.activeElement === first || !inside.includes(document.activeElement))) {
      event.preventDefault();
      last?.focus();
    } else if (!event.shiftKey && document.activeElement === last) {
      event.preventDefault();
      first?.focus();
    }
  };
  const keepOn = () => {
    setAsking(false);
    focusAgain(box.current);
  };
  const discard = () => {
    close();
    if (asking !== true) go(asking);
  };
  const cancelled = (event) => { // by a phone's way back
    event.preventDefault();
    wish.current();
  };

  // While its content is inert, it is scrolled by the keyboard itself.
  return html`<dialog ref=${box} class=${`dialog${wide ? " wide" : ""}`} aria-labelledby=${name} onKeyDown=${pressed} onCancel=${cancelled}>
    <header class="dialog-head">
      <div><h2 id=${name} tabindex="-1">${title}</h2>${lead && html`<p class="quiet">${lead}</p>`}</div>
      <button type="button" class="icon-button" aria-label="Close" disabled=${locked} onClick=${() => wish.current()}><${Icon} name="close" /></button>
    </header>
    <div class="dialog-body" tabindex=${locked ? 0 : undefined}>${children}</div>
    ${asking ? html`<footer class="dialog-foot asking">
        <p role="alert">Close and lose what you typed?</p>
        <button type="button" class="button" onClick=${keepOn}>Keep editing</button>
        <button type="button" class="button danger" onClick=${discard}>Discard</button>
      </footer>`
      : footer && html`<footer class="dialog-foot">${typeof footer === "function" ? footer(() => wish.current()) : footer}</footer>`}
    <${Live} quiet />
  </dialog>`;
}

// refocus gives the heading the focus when what had it is gone, as what opened
// a dialog may be once that has done its work.
export const refocus = () => setTimeout(() => document.activeElement === document.body && document.querySelector("h1")?.focus());

function focusAgain(dialog) {
  (dialog.querySelector("[aria-invalid=true]") || dialog.querySelector(".dialog-body input") || dialog.querySelector("h2"))?.focus();
}
