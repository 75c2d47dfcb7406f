// Start: what needs attention first, then the day as it went and goes on. Who
// has not come to a delivered report yet is led there.
import { all, get } from "/api.js";
import { Attention, troubles } from "/attention.js";
import { ConnectionDialog } from "/connection-dialog.js";
import { FirstSteps } from "/first-steps.js";
import { useMe } from "/me.js";
import { SlackRole } from "/slack-role.js";
import { Mails } from "/outbox.js";
import { Timeline } from "/timeline.js";
import { Button, Failure, Icon, Loading, Notice, Page, Section, html, refocus, useLoad, useRef, useState, useTick } from "/ui.js";
import { many, open } from "/words.js";

const pages = 5; // of 100 runs, read back into the day
const calm = 12_000; // milliseconds between two readings
const busy = 2_000; // while something runs

const midnight = () => new Date().setHours(0, 0, 0, 0);

// readDay reads today's runs. Those of pages that were read to their end are
// kept in known, so that a later reading needs only what is new.
async function readDay(known) {
  const from = midnight();
  let cursor = "";
  for (let page = 0; page < pages; page++) {
    const answer = await get(`/v1/runs?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    const seen = answer.runs.some((r) => known.has(r.id) && !open(r));
    for (const r of answer.runs) known.set(r.id, r);
    cursor = answer.next_cursor;
    const oldest = answer.runs.at(-1);
    if (!cursor || seen || new Date(oldest.scheduled_for) < from) break;
  }
  // One that was open and lies further back may have gone on.
  return [...known.values()].filter((r) => new Date(r.scheduled_for) >= from || open(r))
    .sort((a, b) => new Date(a.scheduled_for) - new Date(b.scheduled_for));
}

// readAll reads the runs each time, which is what moves while something runs;
// the rest again after a while, when a run ended or came to be held, and when
// memory forgets it.
async function readAll(memory, editor) {
  const runs = await readDay(memory.runs);
  const ends = runs.map((r) => (open(r) && r.state !== "held" ? "" : r.state)).join();
  if (!memory.rest || memory.editor !== editor || ends !== memory.ends || Date.now() - memory.readAt >= calm) {
    Object.assign(memory, { rest: await readRest(editor), editor, ends, readAt: Date.now() });
  }
  const delivered = memory.rest.delivered || runs.some((r) => r.state === "delivered");
  return { ...memory.rest, runs, delivered };
}

async function readRest(editor) {
  const [connections, reports, failed, destinations, untold] = await Promise.all([
    all("/v1/connections", "connections"), all("/v1/reports?last_run=true", "reports"),
    get("/v1/runs?state=failed,partly_delivered&limit=50"), all("/v1/destinations", "destinations"),
    editor ? get("/v1/notices?state=undeliverable&limit=20") : { notices: [] },
  ]);
  const delivered = reports.some((r) => r.last_run?.state === "delivered")
    || (reports.length > 0 && (await get("/v1/runs?state=delivered&limit=1")).runs.length > 0);
  return { connections, reports, failed: failed.runs, destinations, notices: untold.notices, delivered };
}

export function Start() {
  const { me, can, lacks } = useMe();
  const memory = useRef({ runs: new Map() }).current;
  const { data, problem, reload: read } = useLoad(() => readAll(memory, can("editor")), [Boolean(me)], { every: (d) => (d.runs.some((r) => open(r) && r.state !== "held") ? busy : calm) });
  const reload = () => {
    memory.rest = null;
    return read();
  };
  const [editing, setEditing] = useState(null); // a connection, or "new"
  useTick();
  const closed = (changed) => {
    setEditing(null);
    if (changed) reload().then(refocus);
  };
  const found = data ? troubles(data) : [];
  const begun = data && data.connections.length > 0 && data.reports.length > 0 && data.delivered;
  return html`<${Page} title="Start" lead=${data && html`<${Summary} data=${data} troubles=${found} begun=${begun} />`}
    actions=${begun && can("editor") && html`<${Button} href="#/reports/new" icon="plus">New report<//>`}>
    <${SlackRole} me=${me} />
    ${me?.installation.mail === "outbox" && data?.reports.length > 0 && html`<${Notice} tone="held" title="Email is not being sent"><p>No mail server is configured, so vizpost only writes messages to its outbox folder.
      To send them, set <code>VIZPOST_SMTP_URL</code> and restart vizpost.</p><//>`}
    <${Failure} problem=${problem} retry=${reload} />
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`
      ${found.length > 0 && html`<${Attention} troubles=${found} can=${can} reload=${reload} edit=${setEditing} />`}
      ${!begun && html`<${FirstSteps} data=${data} can=${can} lacks=${lacks} connect=${() => setEditing("new")} />`}
      ${data.reports.length > 0 && html`<${Timeline} data=${data} />`}
      ${me?.installation.mail === "outbox" && data.reports.length > 0 && html`<${Outbox} runs=${data.runs} />`}
    `}
    ${editing && html`<${ConnectionDialog} key=${editing.id || editing} connection=${editing.id ? editing : undefined} close=${closed} />`}
  <//>`;
}

// Summary is the whole in a sentence.
function Summary({ data, troubles: found, begun }) {
  if (found.length > 0) return html`<span class="summary bad-text"><${Icon} name="alert" />${many(found.length, "thing needs", "things need")} your attention.</span>`;
  if (!begun) return "Three steps to the first delivered report.";
  const count = (...states) => data.runs.filter((r) => states.includes(r.state)).length;
  const [done, going] = [count("delivered"), count("queued", "running")];
  const today = [done > 0 && `${many(done, "run")} delivered today`, going > 0 && `${going} under way`].filter(Boolean).join(", ");
  return html`<span class="summary good-text"><${Icon} name="check" />All is well${today ? `: ${today}.` : "; nothing was due yet today."}</span>`;
}

function Outbox({ runs }) {
  const { data } = useLoad(() => get("/v1/outbox?limit=4"), [runs.length], { every: 12_000 });
  return html`<${Section} title="Outbox" lead="What would have been sent." actions=${data?.mails.length > 0 && html`<${Button} small href="#/outbox">All mails<//>`}>
    ${data?.mails.length === 0 && html`<p class="quiet">There is no mail yet.</p>`}
    ${data?.mails.length > 0 && html`<${Mails} mails=${data.mails} />`}
  <//>`;
}
