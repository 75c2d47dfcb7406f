// Sending a report now: to oneself, to see what others will get, or to all.
import { all, get, newKey, post } from "/api.js";
import { whom } from "/report-words.js";
import { Button, Dialog, Failure, Field, byField, focusWrong, html, useEffect, useLoad, useRef, useState } from "/ui.js";
import { many } from "/words.js";

// SendAllDialog asks before a report goes to everybody. started gets the run.
export function SendAllDialog({ report, close, started }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const key = useRef(newKey());
  const kept = useLoad(() => all("/v1/destinations", "destinations"), []);
  const { people, places } = whom(report, kept.data || []);
  const count = [people.length > 0 && many(people.length, "person", "people"), places.length > 0 && many(places.length, "channel")].filter(Boolean).join(" and ");
  const named = [...people, ...places];
  const go = async () => {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      const run = await post(`/v1/reports/${report.id}/runs`, undefined, { key: key.current });
      close();
      started(run);
    } catch (failed) {
      key.current = newKey();
      setProblem(failed);
      setBusy(false);
    }
  };
  return html`<${Dialog} title=${`Send ${report.name} now?`} lead="It is exported and sent at once. This cannot be undone." close=${close} locked=${busy}
    footer=${(leave) => html`<${Button} onClick=${leave}>Cancel<//><${Button} kind="primary" busy=${busy} onClick=${go} data-first>Send to ${count || "all"}<//>`}>
    <ul class="bullets">${named.slice(0, 6).map((one) => html`<li key=${one}>${one}</li>`)}${named.length > 6 && html`<li>and ${named.length - 6} more</li>`}</ul>
    <${Failure} problem=${problem} />
  <//>`;
}

const kept = "vizpost.send-to";

export function SendDialog({ report, close }) {
  const [address, setAddress] = useState(localStorage.getItem(kept) || "");
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState(null);
  const touched = useRef(false);
  const key = useRef(newKey());
  useEffect(() => {
    if (address) return;
    get("/v1/me").then((me) => {
      if (!touched.current && me.name?.includes("@")) setAddress(me.name);
    }, () => {}); // then it is typed
  }, []);
  const start = async (what, body) => {
    if (busy) return;
    setBusy(what);
    setProblem(null);
    try {
      const run = await post(`/v1/reports/${report.id}/runs`, body, { key: key.current });
      if (what === "send") localStorage.setItem(kept, address.trim());
      close();
      location.hash = `#/runs/${run.id}`;
    } catch (failure) {
      key.current = newKey();
      setProblem(failure);
      setBusy("");
      focusWrong(document.querySelector("dialog"));
    }
  };
  const send = (event) => {
    event.preventDefault();
    if (!address.trim()) {
      setProblem({ fields: [{ field: "only_to", message: "Give your address, such as you@example.com." }] });
      focusWrong(document.querySelector("dialog"));
      return;
    }
    start("send", { only_to: [address.trim()] });
  };
  const wrong = byField(problem);
  const error = wrong["only_to[0]"] || wrong.only_to;
  return html`<${Dialog} title="Send to me now" lead=${`${report.name} is exported and sent to you alone.`} close=${close} locked=${Boolean(busy)}
    footer=${(leave) => html`<span class="grow"><${Button} kind="link" busy=${busy === "dry"} onClick=${() => start("dry", { dry_run: true })}>Only export, send nothing<//></span>
      <${Button} onClick=${leave}>Cancel<//><${Button} kind="primary" submit form="send" busy=${busy === "send"}>Send<//>`}>
    <form id="send" class="stack" onSubmit=${send} novalidate>
      <${Field} label="Your address" type="email" value=${address} error=${error} autocomplete="email" placeholder="you@example.com"
        onInput=${(text) => { touched.current = true; setAddress(text); }} hint="Nobody else gets it. The address is remembered in this browser." />
      ${problem && !error && html`<${Failure} problem=${problem} />`}
    </form>
  <//>`;
}
