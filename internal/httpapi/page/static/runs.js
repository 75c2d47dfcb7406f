// One run: how it is doing, its files, and what became of each delivery.
import { all, get, post } from "/api.js";
import { useMe } from "/me.js";
import { RunFiles } from "/run-files.js";
import { triggers } from "/run-list.js";
import { useSome } from "/some.js";
import { Button, Facts, Failure, Icon, Loading, Notice, Page, Section, State, When, announce, html, toast, useEffect, useLoad, useRef, useState } from "/ui.js";
import { deliveryStates, exportedOnly, many, open, runStates, stateOf } from "/words.js";
import { momentIn, took } from "/zones.js";

const refresh = (run) => (run.state === "held" ? 10_000 : open(run) ? 1_000 : undefined);

export function RunPage({ id }) {
  const read = useLoad(() => get(`/v1/runs/${id}`), [id], { every: refresh });
  const run = read.data;
  const around = useLoad(async () => {
    if (!run) return {};
    const [report, destinations] = await Promise.all([get(`/v1/reports/${run.report_id}`).catch(() => null), all("/v1/destinations", "destinations")]);
    return { report, destinations };
  }, [run?.report_id]);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const { can } = useMe();
  useSaid(run);

  const retry = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await post(`/v1/runs/${id}/retry`);
      toast("What was not delivered is tried again.", "busy");
      await read.reload();
    } catch (failure) {
      setProblem(failure);
    }
    setBusy(false);
  };
  if (read.problem?.status === 404) return html`<${Page} title="There is no such run" back=${{ href: "#/reports", label: "Reports" }}><p>Its address may be mistyped.</p><//>`;
  const gone = around.data && around.data.report === null;
  const failed = run && (run.state === "failed" || (run.state === "partly_delivered" && run.deliveries.some(amiss))); // else there is nothing to send again
  return html`<${Page} title=${run?.report_name} back=${run && (gone ? { href: "#/reports", label: "Reports" } : { href: `#/reports/${run.report_id}`, label: run.report_name })}
    lead=${run && html`<span class="run-lead"><${State} states=${runStates} state=${stateOf(run)} /> ${triggers(run)}</span>`}
    actions=${failed && can("editor") && html`<${Button} kind="primary" icon="retry" busy=${busy} onClick=${retry}>Try again<//>`}>
    <${Failure} problem=${problem || read.problem} retry=${problem ? undefined : read.reload} />
    ${!run && !read.problem && html`<${Loading} />`}
    ${run && html`<${Told} run=${run} can=${can} />
      <${Progress} run=${run} />
      <${RunFiles} run=${run} />
      <${Deliveries} run=${run} around=${around.data || {}} />
      <${Section} title="Details"><div class="card"><${Facts} two of=${facts(run, around.data?.report?.schedule?.time_zone)} /></div><//>`}
  <//>`;
}

// useSaid tells screen readers when the run changes its state.
function useSaid(run) {
  const before = useRef("");
  useEffect(() => {
    if (!run) return;
    if (before.current && before.current !== run.state) announce(`The run is now: ${runStates[stateOf(run)]?.[0] || run.state}. ${open(run) ? "" : run.reason}`);
    before.current = run.state;
  }, [run?.state]);
}

// Told says in words why a run is not simply delivered.
function Told({ run, can }) {
  if (!run.reason) return null;
  if (exportedOnly(run)) return html`<${Notice} tone="good" title="Everything was exported, and nothing was sent, as asked." />`;
  const tone = { failed: "bad", partly_delivered: "bad", held: "held", skipped: "held", queued: "held", delivered: "good" }[run.state] || "busy";
  return html`<${Notice} tone=${tone} title=${run.reason}
    actions=${run.state === "held" && html`<${Button} small href=${`#/settings/connections/${run.connection_id}`}>${can("admin") ? "Fix the connection" : "See the connection"}<//>`}>
    ${run.state === "queued" && run.not_before && html`<p>It is tried again <${When} at=${run.not_before} far />.</p>`}<//>`;
}

// steps gives how far a run is: exporting, then sending. n of total, and
// whether it has come to it.
function steps(run) {
  const p = run.progress;
  const exported = p.files_total > 0 && p.files_done >= p.files_total;
  const over = !open(run);
  const failedBefore = over && !exported && run.state !== "skipped";
  const list = [
    waiting(run),
    { name: "Export", state: exported ? "done" : run.state === "running" ? "now" : failedBefore ? "failed" : "later", more: `${p.files_done} of ${many(p.files_total, "file")}` },
  ];
  if (run.dry_run) return list;
  const sent = p.deliveries_total > 0 && p.deliveries_done >= p.deliveries_total;
  const bad = run.state === "partly_delivered" || (run.state === "failed" && exported);
  list.push({ name: "Send", state: over && bad ? "failed" : sent && exported ? "done" : run.state === "running" && exported ? "now" : "later",
    more: p.deliveries_total > 0 && `${p.deliveries_done} of ${many(p.deliveries_total, "message")}` });
  return list;
}

function waiting(run) {
  if (run.state === "held") return { name: "Held", state: "held" };
  if (run.state === "queued") return { name: "Waiting", state: "now" };
  return run.started_at ? { name: "Started", state: "done" } : { name: "Not started", state: "failed" };
}

const stepWords = { done: "done", now: "under way", held: "held", failed: "failed", later: "not yet" };

function Progress({ run }) {
  if (run.state === "skipped") return null;
  return html`<ol class="steps" aria-label="Progress">${steps(run).map((s) => html`<li class=${`step ${s.state}`} key=${s.name}>
    <span class="step-mark">${s.state === "done" ? html`<${Icon} name="check" size=${14} />` : s.state === "failed" ? html`<${Icon} name="close" size=${14} />` : s.state === "held" ? html`<${Icon} name="pause" size=${14} />`
      : s.state === "now" ? html`<span class="spinner" aria-hidden="true"></span>` : ""}</span>
    <span><span class="strong">${s.name}</span><span class="visually-hidden">, ${stepWords[s.state]}</span>${s.more && html`<span class="quiet small"> ${s.more}</span>`}</span>
  </li>`)}</ol>`;
}

function facts(run, zone) {
  const at = (time) => time && (zone ? html`<time datetime=${time}>${momentIn(time, zone)} <span class="quiet">${zone}</span></time>` : html`<${When} at=${time} />`);
  return [
    [run.trigger === "schedule" ? "Scheduled for" : "Asked for", at(run.scheduled_for)],
    ["Began", at(run.started_at)],
    ["Finished", at(run.finished_at)],
    ["Took", run.started_at && run.finished_at && took(run.started_at, run.finished_at)],
    ["Held", run.held_at && html`${at(run.held_at)}${run.released_at && html`, released ${at(run.released_at)}`}`],
    ["Stands for", run.stands_for > 1 && `${run.stands_for} times that were due`],
    ["Tries that failed", run.attempts > 0 && String(run.attempts)],
    ["Run", html`<code class="anywhere">${run.id}</code>`],
  ];
}

// amiss tells whether somebody should look at a delivery.
const amiss = (d) => ["failed", "bounced", "unsure"].includes(d.state);

function Deliveries({ run, around }) {
  const inOrder = run.deliveries.toSorted((a, b) => amiss(b) - amiss(a));
  const [some, more] = useSome(inOrder, 20, "deliveries");
  if (run.deliveries.length === 0) return null;
  const wrong = run.deliveries.filter(amiss).length;
  const lead = [wrong > 0 && wrong < run.deliveries.length && `Of ${run.deliveries.length}, ${many(wrong, "needs", "need")} a look; first in the list.`,
    run.deliveries.some((d) => d.where) && "No mail server is configured: mail is written to the outbox, and not sent."].filter(Boolean).join(" ");
  return html`<${Section} title="Deliveries" lead=${lead}><ul class="list">${some.map((d) => html`<li class="delivery" key=${d.key}>
    <div class="delivery-state"><${State} states=${deliveryStates} state=${d.where && d.state === "sent" ? "written" : d.state} /></div>
    <div class="grow">
      <p class="strong">${whom(d, around)}</p>
      ${d.message && html`<p class=${d.state === "failed" || d.state === "bounced" ? "why" : "quiet"}>${d.message}</p>`}
      ${d.possible_repeat && html`<p class="quiet">It may have arrived twice: an earlier try got no answer.</p>`}
      <p class="quiet">${[d.sent_at && html`<${When} at=${d.sent_at} />`, d.cc.length > 0 && `Cc ${d.cc.join(", ")}`, d.bcc?.length > 0 && `Bcc ${d.bcc.join(", ")}`,
        d.attempts > 1 && many(d.attempts, "try", "tries"), d.provider_id && html`<span class="proof">${d.provider_id}</span>`].filter(Boolean).map((part, i) => html`<span key=${i}>${i > 0 && " · "}${part}</span>`)}</p>
    </div>
    ${d.where && html`<${Button} small icon="mail" href=${`#/outbox/${encodeURIComponent(d.where.split("/").pop())}`} aria-label=${`See the mail to ${whom(d, around)}`}>See the mail<//>`}
  </li>`)}</ul>${more}<//>`;
}

// whom names who gets a delivery.
function whom(d, { report, destinations = [] }) {
  if (d.to.length > 0) return d.to.join(", ");
  if (d.type !== "slack") return d.destination_id;
  const kept = report?.destinations.find((one) => one.id === d.destination_id)?.destination_id;
  return destinations.find((one) => one.id === kept)?.name || "Slack";
}
