// What forms are made of: fields that say what is wrong with them, buttons that
// cannot be pressed twice, tabs.
import { useId, useRef } from "/vendor/hooks.mjs";
import { h } from "/vendor/preact.mjs";
import htm from "/vendor/htm.mjs";
import { Icon } from "/icons.js";

const html = htm.bind(h);

// Button is a button, or a link that looks like one (href). kind: primary,
// danger, quiet (no border) or link. While busy it keeps the focus and does
// nothing.
export function Button({ kind = "", small = false, busy = false, submit = false, icon, href, onClick, children, ...rest }) {
  const looks = `${kind === "link" ? "link" : `button ${kind}`}${small ? " small" : ""}${busy ? " busy" : ""}`;
  const inside = html`${busy ? html`<span class="spinner" aria-hidden="true"></span>` : icon && html`<${Icon} name=${icon} />`}${children}`;
  if (href) return html`<a class=${looks} href=${href} onClick=${onClick} ...${rest}>${inside}</a>`;
  const click = (event) => {
    if (busy) event.preventDefault();
    else onClick?.(event);
  };
  return html`<button type=${submit ? "submit" : "button"} class=${looks} aria-disabled=${busy ? "true" : undefined} onClick=${click} ...${rest}>${inside}</button>`;
}

// Field is a label with its input, a hint, and what is wrong. Without children
// it renders an input, whose onInput is called with the text; children are a
// function that gets the attributes for an input of another kind.
export function Field({ id, label, hint, error, optional = false, value, onInput, children, ...rest }) {
  const made = useId();
  const name = id || made;
  const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(" ");
  const attributes = { id: name, "aria-describedby": described || undefined, "aria-invalid": error ? "true" : undefined };
  return html`<div class=${`field${error ? " wrong" : ""}`}>
    <label for=${name}>${label}${optional && html`<span class="optional"> optional</span>`}</label>
    ${typeof children === "function" ? children(attributes)
      : html`<input type="text" ...${attributes} ...${rest} value=${value} onInput=${(event) => onInput(event.target.value)} />`}
    ${error && html`<p class="error" id=${`${name}-error`}><${Icon} name="alert" size=${14} /><span>${error}</span></p>`}
    ${hint && html`<p class="hint" id=${`${name}-hint`}>${hint}</p>`}
  </div>`;
}

// byField gives what a problem says of each field, by the field's path.
export function byField(problem) {
  const found = {};
  for (const { field, message } of problem?.fields || []) found[field] = found[field] ? `${found[field]} ${message}` : message;
  return found;
}

// focusWrong moves the focus to the first field that is marked wrong, if there
// is one; else to the notice that takes it. Where both fit, both are seen. Call
// it when the page is about to show them.
export function focusWrong(inside = document) {
  if (!inside) return; // it is gone by now
  requestAnimationFrame(() => {
    const notice = inside.querySelector(".notice[tabindex]");
    const field = inside.querySelector("[aria-invalid=true]") || notice;
    field?.focus();
    if (!notice || notice === field) return;
    const room = (inside.closest?.(".dialog-body") || document.documentElement).clientHeight;
    if (field.getBoundingClientRect().bottom - notice.getBoundingClientRect().top + 80 < room) notice.scrollIntoView({ block: "start" });
  });
}

// Tabs are tabs in the ARIA pattern: arrows move and choose, only the chosen
// one is in the order of Tab. tabs is [{key, label}]; children is the panel of
// the chosen one.
export function Tabs({ label, tabs, chosen, choose, children }) {
  const base = useId();
  const bar = useRef(null);
  const pressed = (event) => {
    const at = tabs.findIndex((t) => t.key === chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = (to + tabs.length) % tabs.length;
    choose(tabs[next].key);
    bar.current.children[next].focus();
  };
  return html`<div class="tabs">
    <div class="tab-bar" role="tablist" aria-label=${label} ref=${bar} onKeyDown=${pressed}>
      ${tabs.map((t) => html`<button type="button" class="tab" role="tab" id=${`${base}-${t.key}`} key=${t.key} aria-selected=${String(t.key === chosen)}
        aria-controls=${`${base}-panel`} tabindex=${t.key === chosen ? 0 : -1} onClick=${() => choose(t.key)}>${t.label}</button>`)}
    </div>
    <div class="tab-panel stack" role="tabpanel" id=${`${base}-panel`} aria-labelledby=${`${base}-${chosen}`}>${children}</div>
  </div>`;
}
