// The named Slack destinations: a webhook's address is a secret, which reports
// name without knowing it.
import { all, patch, post, remove } from "/api.js";
import { useSome } from "/some.js";
import { Button, Dialog, Empty, Failure, Field, Icon, Loading, Notice, Section, State, announce, byField, focusWrong, html, toast, useLoad, useRef, useState } from "/ui.js";
import { destinationStates } from "/words.js";

export function Destinations({ can }) {
  const { data, problem, reload } = useLoad(() => all("/v1/destinations", "destinations"), [], { every: 20_000 });
  const [shown, setShown] = useState(null); // {edit: id or "new"} or {remove: destination}
  const [testing, setTesting] = useState("");
  const [failed, setFailed] = useState({}); // by id
  const closed = (changed, refused) => {
    setShown(null);
    if (!changed) return;
    setFailed((before) => ({ ...before, [changed.id]: refused }));
    reload();
  };
  const test = async (d) => {
    setTesting(d.id);
    setFailed((before) => ({ ...before, [d.id]: null }));
    announce(`Sending a test message to ${d.name}…`);
    try {
      await post(`/v1/destinations/${d.id}/test`);
      toast(`A test message was sent to ${d.name}.`);
    } catch (refused) {
      setFailed((before) => ({ ...before, [d.id]: refused }));
      announce(refused.message);
    }
    setTesting("");
    reload();
  };
  const [some, more] = useSome(data || [], 10, "channels");
  const add = can("editor") && html`<${Button} icon="plus" onClick=${() => setShown({ edit: "new" })}>Add Slack channel<//>`;
  return html`<${Section} title="Slack channels" lead="Incoming webhooks that reports can post to, each under a name." actions=${data?.length > 0 && add}>
    <${Failure} problem=${problem} retry=${reload} />
    ${!data && !problem && html`<${Loading} lines=${1} />`}
    ${data?.length === 0 && html`<${Empty} icon="slack" title="No Slack channel yet" actions=${add}>Email needs nothing here. For Slack, add the address of an incoming webhook.<//>`}
    ${data?.length > 0 && html`<ul class="list">${some.map((d) => html`<li class="list-row" key=${d.id}>
      <span class="row-icon"><${Icon} name="slack" /></span>
      <div class="grow"><span class="strong">${d.name}</span>
        ${d.problem && html`<p class="bad-text">${d.problem}</p>`}
        ${failed[d.id] && failed[d.id].message !== d.problem && html`<p class="bad-text" role="alert">${failed[d.id].message}</p>`}</div>
      <${State} states=${destinationStates} state=${d.state} />
      ${can("editor") && html`<div class="actions">
        <${Button} small busy=${testing === d.id} onClick=${() => test(d)} aria-label=${`Send a test message to ${d.name}`}>Test<//>
        <${Button} small onClick=${() => setShown({ edit: d.id })} aria-label=${`Edit ${d.name}`}>Edit<//>
        <button type="button" class="icon-button" aria-label=${`Delete ${d.name}`} onClick=${() => setShown({ remove: d })}><${Icon} name="trash" /></button>
      </div>`}
    </li>`)}</ul>${more}`}
    ${shown?.edit && html`<${DestinationDialog} destination=${data.find((d) => d.id === shown.edit)} reload=${reload} close=${closed} />`}
    ${shown?.remove && html`<${RemoveDialog} destination=${data.find((d) => d.id === shown.remove.id) || shown.remove} reload=${reload} close=${closed} />`}
  <//>`;
}

// DestinationDialog adds a webhook, or edits one, which reload reads anew, and
// tests an address that is new. close gets what was saved, if anything was, and
// why its test failed.
export function DestinationDialog({ destination: d, reload, close }) {
  const [name, setName] = useState(d?.name || "");
  const [url, setURL] = useState("");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const body = useRef(null);
  const wrong = byField(problem);
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    const fields = [];
    if (!name.trim()) fields.push({ field: "name", message: "Give it a name, such as the channel's." });
    if (!d && !url.trim()) fields.push({ field: "url", message: "Paste the webhook's address as Slack shows it." });
    if (fields.length > 0) {
      setProblem({ message: "", fields });
      focusWrong(body.current);
      return;
    }
    setBusy(true);
    setProblem(null);
    let refused = null;
    try {
      let saved = d ? await patch(`/v1/destinations/${d.id}`, { ...(name !== d.name && { name: name.trim() }), ...(url && { url: url.trim() }) }, d.version)
        : await post("/v1/destinations", { name: name.trim(), type: "slack", url: url.trim() });
      const done = d ? `${name} is saved` : `${name} is added`;
      if (!tries) toast(`${done}.`);
      else {
        await post(`/v1/destinations/${saved.id}/test`).then((tested) => { saved = tested; toast(`${done}, and a test message was sent there.`); },
          (failed) => { refused = failed; toast(`${done}. The test failed: ${failed.message}`, "bad"); });
      }
      close(saved, refused);
    } catch (failed) {
      if (failed.code === "stale_version") {
        const now = (await reload())?.find((one) => one.id === d.id);
        if (now && name === d.name) setName(now.name);
        if (now) failed.message = "Somebody changed it in between. What you typed is still here: save again to have it over theirs.";
      }
      setBusy(false);
      setProblem(failed);
      announce(failed.message);
      focusWrong(body.current);
    }
  };
  const general = problem?.message && problem.fields.length === 0;
  const tries = !d || url !== ""; // the address is new
  return html`<${Dialog} title=${d ? `Edit ${d.name}` : "Add a Slack channel"} close=${() => close()} dirty=${!busy && (name !== (d?.name || "") || url !== "")} locked=${busy}
    footer=${(leave) => html`<${Button} onClick=${leave} disabled=${busy}>Cancel<//><${Button} kind="primary" submit busy=${busy} form="destination">${tries ? (d ? "Save and test" : "Add and test") : "Save"}<//>`}>
    <form id="destination" class="stack" novalidate onSubmit=${submit} ref=${body} autocomplete="off">
      ${general && html`<${Notice} tone="bad" title=${problem.message} tabindex="-1" />`}
      <${Field} id="d-name" label="Name" value=${name} error=${wrong.name} onInput=${setName} placeholder="#sales" maxlength="200" />
      <${Field} id="d-url" label="Webhook address" type="password" value=${url} error=${wrong.url} onInput=${setURL} autocomplete="new-password"
        hint=${d ? "One is kept, and never shown. Leave this empty to keep it." : "In Slack: your app, Incoming Webhooks, Add New Webhook to Workspace. Whoever has the address can post, so it is kept as a secret."} />
      ${tries && html`<p class="hint">A test message is then posted to the channel. Messages in Slack have text and links, no pictures or files.</p>`}
    </form>
  <//>`;
}

function RemoveDialog({ destination: d, reload, close }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    try {
      await remove(`/v1/destinations/${d.id}`, d.version);
      toast(`${d.name} is deleted.`);
      close(true);
    } catch (failed) {
      if (failed.code === "stale_version") await reload(); // the next try knows what it is now
      setBusy(false);
      setProblem(failed);
    }
  };
  return html`<${Dialog} title=${`Delete ${d.name}?`} close=${() => close()} locked=${busy}
    footer=${html`<${Button} onClick=${() => close()} data-first>Cancel<//><${Button} kind="danger" busy=${busy} onClick=${go}>Delete<//>`}>
    <p>vizpost forgets the webhook's address. In Slack the webhook stays until it is removed there.</p>
    ${problem && html`<${Failure} problem=${problem} />`}
    ${problem?.body?.reports?.length > 0 && html`<ul class="bullets">${problem.body.reports.map((r) => html`<li key=${r.id}><a href=${`#/reports/${r.id}`}>${r.name}</a></li>`)}</ul>`}
  <//>`;
}
