// Controls of the report's form. Each has the path that the API gives to its
// part of a report, and shows what the API says of that path.
import { createContext, h } from "/vendor/preact.mjs";
import { useContext } from "/vendor/hooks.mjs";
import { complete, splitAddresses } from "/addresses.js";
import { Button, Field, Icon, announce, html, useId, useRef, useState } from "/ui.js";

// Wrong is what is wrong with the form: shown has it by the control that shows
// it, said by the field that the API named.
export const Wrong = createContext({ shown: {}, said: {} });
export const WrongFields = ({ wrong, children }) => h(Wrong.Provider, { value: wrong }, children);
export const nothingWrong = { shown: {}, said: {}, rest: [] };

// placed finds for each field that a problem names the control that shows it:
// that of its path or, if there is none, of what it is a part of. rest has what
// no control shows.
export function placed(fields, inside) {
  const wrong = { shown: {}, said: {}, rest: [] };
  for (const { field, message } of fields) {
    wrong.said[field] = message;
    let path = field;
    while (path && !inside.querySelector(`[data-field="${CSS.escape(path)}"]`)) path = path.replace(/(\.|^)[^.[\]]*$|\[\d+\]$/, "");
    if (!path) wrong.rest.push(message);
    else if (!wrong.shown[path]) wrong.shown[path] = message;
    else if (!wrong.shown[path].includes(message)) wrong.shown[path] += ` ${message}`;
  }
  return wrong;
}

export const useWrong = (path) => useContext(Wrong).shown[path] || "";

// At is a field of the form; its child is a function that gets the attributes
// of the input.
export function At({ path, children, ...rest }) {
  const error = useWrong(path);
  return html`<${Field} error=${error} ...${rest}>${(given) => children({ ...given, "data-field": path })}<//>`;
}

export function Text({ path, value, change, type = "text", label, hint, optional, ...rest }) {
  return html`<${At} path=${path} label=${label} hint=${hint} optional=${optional}>${(given) => html`
    <input type=${type} ...${given} ...${rest} value=${value} onInput=${(event) => change(event.target.value)} />`}<//>`;
}

export function Choice({ path, value, change, options, label, hint, ...rest }) {
  return html`<${At} path=${path} label=${label} hint=${hint}>${(given) => html`
    <select ...${given} ...${rest} value=${value} onChange=${(event) => change(event.target.value)}>
      ${options.map(([key, words]) => html`<option key=${key} value=${key} selected=${key === value}>${words}</option>`)}
    </select>`}<//>`;
}

export function Check({ value, change, label, hint, path }) {
  const id = useId();
  const error = useWrong(path);
  return html`<div class="check">
    <input type="checkbox" id=${id} checked=${value} data-field=${path} aria-invalid=${error ? "true" : undefined}
      aria-describedby=${hint || error ? `${id}-more` : undefined} onChange=${(event) => change(event.target.checked)} />
    <div><label for=${id}>${label}</label>
      ${(hint || error) && html`<p class=${error ? "error" : "hint"} id=${`${id}-more`}>${error || hint}</p>`}</div>
  </div>`;
}

// Pills choose one of a few, as radio buttons do.
export function Pills({ label, value, change, options, path }) {
  const id = useId();
  const error = useWrong(path);
  return html`<fieldset class="pills" aria-describedby=${error ? `${id}-error` : undefined}><legend>${label}</legend>
    <div class="pill-row">${options.map(([key, words, more], i) => html`<label class="pill" key=${key}>
      <input type="radio" name=${id} checked=${key === value} data-field=${i === 0 ? path : undefined}
        aria-invalid=${error && i === 0 ? "true" : undefined} onChange=${() => change(key)} />
      <span>${words}${more && html`<small>${more}</small>`}</span></label>`)}</div>
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </fieldset>`;
}

// focusField moves the focus to a control, once it is shown: where something
// was taken away, the focus would be nowhere.
export const focusField = (path) => requestAnimationFrame(() => document.querySelector(`[data-field="${CSS.escape(path)}"]`)?.focus());

export const splitLines = (text) => text.split(/[\n\r\t]+/).map((line) => line.trim()).filter(Boolean);

// Chips is a list of short texts. Enter, or leaving the input, adds what was
// typed; a comma too, unless texts may hold one. Backspace in the empty input
// takes the last one away.
export function Chips({ path, label, hint, optional, values, change, split = splitAddresses, commas = true, type = "text", placeholder }) {
  const [typed, setTyped] = useState("");
  const input = useRef(null);
  const { said } = useContext(Wrong);
  const add = (text) => {
    const fresh = split(text).filter((one, i, all) => all.indexOf(one) === i && !values.includes(one));
    setTyped("");
    if (fresh.length > 0) change([...values, ...fresh]);
    if (fresh.length > 1) announce(`${fresh.length} added.`);
  };
  const drop = (i) => {
    change(values.filter((_, n) => n !== i));
    announce(`${values[i]} removed.`);
    input.current?.focus();
  };
  const pressed = (event) => {
    if (event.key === "Enter") {
      event.preventDefault(); // and does not send the form
      if (typed.trim()) add(typed);
    } else if (event.key === "Backspace" && !typed && values.length > 0) {
      event.preventDefault();
      drop(values.length - 1);
    }
  };
  // The text is looked at rather than the key: a phone's keyboard does not name it.
  const changed = ({ target }) => {
    if (!commas || !(split === splitAddresses ? complete(target.value) : /[,;]/.test(target.value))) return setTyped(target.value);
    add(target.value);
    target.value = ""; // also where nothing had been typed before, so that nothing is drawn anew
  };
  const pasted = (event) => {
    const text = event.clipboardData.getData("text/plain");
    if (split(text).length < 2) return;
    event.preventDefault();
    add(`${typed}${typed && "\n"}${text}`);
  };
  return html`<${At} path=${path} label=${label} hint=${hint} optional=${optional}>${(given) => html`
    <div class="chips" onClick=${(event) => event.target === event.currentTarget && input.current?.focus()}>
      ${values.length > 0 && html`<ul aria-label=${`${label}, chosen`}>${values.map((one, i) => html`
        <li class=${`chip${said[`${path}[${i}]`] ? " wrong" : ""}`} key=${one}><span>${one}</span>
          <button type="button" aria-label=${`Remove ${one}`} onClick=${() => drop(i)}><${Icon} name="close" size=${12} /></button></li>`)}</ul>`}
      <input ref=${input} type=${type} ...${given} value=${typed} placeholder=${values.length === 0 ? placeholder : ""} autocomplete="off" autocapitalize="off" spellcheck=${false}
        onInput=${changed} onKeyDown=${pressed} onPaste=${pasted} onBlur=${() => typed.trim() && add(typed)} />
    </div>`}<//>`;
}

const pieces = [
  ["Report name", "{{ report.name }}"],
  ["Date", '{{ date(run.scheduled_for, "%d %B %Y") }}'],
  ["View", "{{ view }}"],
  ["Workbook", "{{ workbook }}"],
];

// Template is a text in which {{ expressions }} stand for what is known when the
// report runs.
export function Template({ path, label, hint, value, change, lines = 1, placeholder, optional = true }) {
  const input = useRef(null);
  const insert = (piece) => {
    const at = input.current;
    const from = at.selectionStart ?? value.length;
    const to = at.selectionEnd ?? from;
    change(value.slice(0, from) + piece + value.slice(to));
    requestAnimationFrame(() => {
      at.focus();
      at.setSelectionRange(from + piece.length, from + piece.length);
    });
  };
  const typed = (event) => change(event.target.value);
  return html`<div class="template">
    <${At} path=${path} label=${label} hint=${hint} optional=${optional}>${(given) => lines > 1
      ? html`<textarea ref=${input} ...${given} rows=${lines} value=${value} placeholder=${placeholder} onInput=${typed}></textarea>`
      : html`<input ref=${input} type="text" ...${given} value=${value} placeholder=${placeholder} spellcheck=${false} onInput=${typed} />`}<//>
    <div class="insert" role="group" aria-label=${`Insert into ${label.toLowerCase()}`}><span class="quiet" aria-hidden="true">Insert</span>
      ${pieces.map(([words, piece]) => html`<${Button} kind="link" small key=${words} onClick=${() => insert(piece)} title=${piece}>${words}<//>`)}</div>
  </div>`;
}
