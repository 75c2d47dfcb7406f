// To whom a report goes: mail, and kept Slack webhooks.
import { all, post } from "/api.js";
import { DestinationDialog } from "/destinations.js";
import { newEmail, newSlack } from "/report-draft.js";
import { At, Check, Chips, Template, focusField, useWrong } from "/report-fields.js";
import { Button, Disclosure, Failure, Icon, Notice, html, toast, useState } from "/ui.js";

// DestinationsEditor changes to whom a report goes. kept are the webhooks that
// can be named; add is given one that was made here, and reload reads them anew.
export function DestinationsEditor({ value, change, kept, add, reload }) {
  const [adding, setAdding] = useState(null); // the key of the destination that a new webhook is for
  const wrong = useWrong("destinations");
  const set = (key, more) => change(value.map((d) => (d.key === key ? { ...d, ...more } : d)));
  const made = (destination) => {
    add(destination);
    set(adding, { destination_id: destination.id });
    setAdding(null);
  };
  const addSlack = () => {
    const slack = newSlack(kept.length === 1 ? kept[0].id : "");
    change([...value, slack]);
    if (kept.length === 0) setAdding(slack.key);
  };
  const close = () => {
    // A card that was added for a webhook that was not made stands for nothing.
    if (kept.length === 0) change(value.filter((d) => d.key !== adding));
    setAdding(null);
  };
  return html`<div class="contents">
    ${value.map((d, i) => html`<article class="content" key=${d.key} aria-label=${d.type === "slack" ? "Slack" : "Email"}>
      <header class="content-head">
        <span class="kind"><${Icon} name=${d.type === "slack" ? "slack" : "mail"} /></span><h3 class="grow">${d.type === "slack" ? "Slack" : "Email"}</h3>
        <button type="button" class="icon-button" aria-label=${d.type === "slack" ? "Remove this Slack destination" : "Remove this email"} onClick=${() => { change(value.filter((old) => old.key !== d.key)); focusField("destinations"); }}><${Icon} name="trash" /></button>
      </header>
      ${d.type === "slack" ? html`<${Slack} path=${`destinations[${i}]`} value=${d} change=${(more) => set(d.key, more)} kept=${kept} reload=${reload} add=${() => setAdding(d.key)} />`
        : html`<${Email} path=${`destinations[${i}]`} value=${d} change=${(more) => set(d.key, more)} />`}
    </article>`)}
    <div><div class="actions">
      <${Button} icon="mail" onClick=${() => change([...value, newEmail()])} data-field="destinations" aria-invalid=${wrong ? "true" : undefined}>Add email<//>
      <${Button} icon="slack" onClick=${addSlack}>Add Slack<//></div>
      ${wrong && html`<p class="error"><${Icon} name="alert" size=${14} /><span>${wrong}</span></p>`}
    </div>
    ${adding && html`<${DestinationDialog} close=${(saved) => (saved ? made(saved) : close())} />`}
  </div>`;
}

function Email({ path, value: d, change }) {
  return html`
    <${Chips} path=${`${path}.to`} label="To" type="email" values=${d.to} change=${(to) => change({ to })} placeholder="name@example.com"
      hint=${d.together ? "All see each other's addresses." : "Each gets a message of their own. Paste as many as you like."} />
    <${Check} path=${`${path}.together`} label="One message to all, with Cc and Bcc" value=${d.together} change=${(together) => change({ together })} />
    ${d.together && html`<div class="row-of-fields wide-fields">
      <${Chips} path=${`${path}.cc`} label="Cc" optional type="email" values=${d.cc} change=${(cc) => change({ cc })} />
      <${Chips} path=${`${path}.bcc`} label="Bcc" optional type="email" values=${d.bcc} change=${(bcc) => change({ bcc })} />
    </div>`}
    <${Disclosure} title="Subject and text" open=${Boolean(d.subject || d.body)}>
      <div class="stack">
        <${Template} path=${`${path}.subject`} label="Subject" value=${d.subject} change=${(subject) => change({ subject })} placeholder="The report's name and date" />
        <${Template} path=${`${path}.body`} label="Text" lines=${4} value=${d.body} change=${(body) => change({ body })}
          hint="Stands above the pictures. What is between {{ and }} is worked out for each run." />
      </div>
    <//>`;
}

function Slack({ path, value: d, change, kept, reload, add }) {
  const chosen = kept.find((k) => k.id === d.destination_id);
  return html`
    <${At} path=${`${path}.destination_id`} label="Channel" hint=${kept.length === 0 ? "There is none yet: add its webhook." : undefined}>${(given) => html`
      <div class="with-button"><select ...${given} value=${d.destination_id} onChange=${(event) => change({ destination_id: event.target.value })}>
        <option value="" selected=${!d.destination_id}>Choose…</option>
        ${kept.map((k) => html`<option key=${k.id} value=${k.id} selected=${k.id === d.destination_id}>${k.name}${k.state === "broken" ? " (broken)" : k.state === "untested" ? " (not tested yet)" : ""}</option>`)}
        ${d.destination_id && !chosen && html`<option value=${d.destination_id} selected>One that was deleted</option>`}
      </select><${Button} icon="plus" onClick=${add}>New channel<//></div>`}<//>
    ${chosen?.state === "broken" && html`<${Notice} tone="bad" title=${chosen.problem}>Nothing is sent there until a test message gets through.<//>`}
    ${chosen && html`<div><${TestButton} destination=${chosen} done=${reload} /></div>`}
    <${Disclosure} title="Text" open=${Boolean(d.text)}>
      <${Template} path=${`${path}.text`} label="Text" lines=${3} value=${d.text} change=${(text) => change({ text })} hint="Stands above the views." />
    <//>`;
}

function TestButton({ destination, done }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const test = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await post(`/v1/destinations/${destination.id}/test`);
      toast(`A test message was sent to ${destination.name}.`);
    } catch (failure) {
      setProblem(failure);
    }
    setBusy(false);
    done?.();
  };
  return html`<${Button} small busy=${busy} onClick=${test}>Send a test message<//>${problem && html`<${Failure} problem=${problem} />`}`;
}

// keptDestinations reads those that a report can name.
export const keptDestinations = () => all("/v1/destinations", "destinations");
