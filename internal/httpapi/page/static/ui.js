// The parts that all of the page is made of. Import them from here.
import { useEffect, useId, useRef, useState } from "/vendor/hooks.mjs";
import { h } from "/vendor/preact.mjs";
import htm from "/vendor/htm.mjs";
import { Button } from "/forms.js";
import { Icon } from "/icons.js";
import { away, date, moment } from "/words.js";

export { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "/vendor/hooks.mjs";
export { Icon } from "/icons.js";
export { Live, announce, toast } from "/live.js";
export { useLoad, useTick } from "/load.js";
export { Dialog, refocus } from "/dialog.js";
export { Button, Field, Tabs, byField, focusWrong } from "/forms.js";

export const html = htm.bind(h);

// Page is the content of one address: its heading, which takes the focus when
// one comes from another address, and the document's title. back is {href,
// label}; actions stand beside the heading.
export function Page({ title, lead, back, actions, narrow = false, children }) {
  const heading = useRef(null);
  useEffect(() => { document.title = title ? `${title} · vizpost` : "vizpost"; }, [title]);
  useEffect(() => {
    if (document.documentElement.dataset.moved) {
      heading.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }, []);
  return html`<main id="main" class=${`page${narrow ? " narrow" : ""}`}>
    ${back && html`<p class="back"><a href=${back.href}><${Icon} name="chevron" size=${14} />${back.label}</a></p>`}
    <header class="page-head">
      <div class="page-title"><h1 tabindex="-1" ref=${heading}>${title || "…"}</h1>${lead && html`<div class="lead">${lead}</div>`}</div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}
  </main>`;
}

// Section is a part of a page with a heading of its own.
export function Section({ title, lead, actions, children }) {
  const id = useId();
  return html`<section class="section" aria-labelledby=${id}>
    <header class="section-head">
      <div><h2 id=${id}>${title}</h2>${lead && html`<p class="quiet">${lead}</p>`}</div>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}
  </section>`;
}

// Notice says something that matters here and now. tone: bad, held, good or
// busy. alert has screen readers say it at once.
export function Notice({ tone = "busy", title, actions, alert = false, children, ...rest }) {
  const icon = { bad: "alert", held: "alert", good: "check", busy: "info" }[tone];
  return html`<div class=${`notice ${tone}`} role=${alert ? "alert" : undefined} ...${rest}>
    <${Icon} name=${icon} />
    <div class="notice-text">${title && html`<p class="notice-title">${title}</p>`}${children}</div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </div>`;
}

// Failure says that something could not be read or done, and offers to try
// again.
export function Failure({ problem, retry }) {
  const [busy, setBusy] = useState(false);
  const again = async () => {
    setBusy(true);
    await retry();
    setBusy(false);
  };
  return problem && html`<${Notice} tone="bad" alert title=${problem.message} actions=${retry && html`<${Button} small busy=${busy} onClick=${again}>Try again<//>`}>
    ${problem.fields?.map((f) => html`<p>${f.message}</p>`)}<//>`;
}

// State is a state in words, with a tone. states is one of words.js's tables.
export function State({ states, state }) {
  const [words, tone] = states[state] || [state, "still"];
  return html`<span class=${`state ${tone}`}>${words}</span>`;
}

// When is a time as people say it; the exact one is its title.
export function When({ at, far = false }) {
  return html`<time datetime=${at} title=${new Date(at).toLocaleString()}>${far ? away(at) : moment(at)}</time>`;
}

// Empty is what stands where there is nothing yet: what to do first.
export function Empty({ icon = "info", title, actions, children }) {
  return html`<div class="empty">
    <span class="empty-icon"><${Icon} name=${icon} size=${20} /></span>
    <p class="empty-title">${title}</p>
    <div class="quiet">${children}</div>
    ${actions && html`<div class="actions">${actions}</div>`}
  </div>`;
}

// Loading stands where something is being read for the first time.
export function Loading({ lines = 3 }) {
  return html`<div class="loading" role="status"><span class="visually-hidden">Loading…</span>
    ${Array.from({ length: lines }, (_, i) => html`<span class="loading-line" key=${i}></span>`)}</div>`;
}

// Gauge shows how much of a life is left: a share between 0 and 1, or null
// when it is not known.
export function Gauge({ share, tone, label }) {
  const width = share === null ? 0 : Math.max(Math.min(share, 1), 0.02) * 100;
  return html`<svg class=${`gauge ${tone}`} role="img" aria-label=${label} width="100%" height="6" preserveAspectRatio="none">
    <rect class="gauge-back" width="100%" height="6" rx="3" />
    ${width > 0 && html`<rect class="gauge-left" width=${`${width}%`} height="6" rx="3" />`}
  </svg>`;
}

// Facts is a list of names and what they are; pairs without a value are left
// out. two: side by side where there is room.
export function Facts({ of, two = false }) {
  return html`<dl class=${`facts${two ? " two" : ""}`}>${of.filter((pair) => pair && pair[1]).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

// Disclosure hides what only some need.
export function Disclosure({ title, open = false, children }) {
  return html`<details class="disclosure" open=${open}><summary><${Icon} name="chevron" size=${14} />${title}</summary><div class="disclosure-body">${children}</div></details>`;
}

export { away, date, moment };
