// One report: its runs, what it sends, and what can be done with it.
import { all, get, patch, remove } from "/api.js";
import { Ailing } from "/connection-parts.js";
import { ReportForm } from "/report-form.js";
import { Format, Next, capital, whom } from "/report-words.js";
import { useMe } from "/me.js";
import { AlertsTo } from "/trouble.js";
import { useMore } from "/some.js";
import { browserZone, nameOf, tellsRows } from "/report-draft.js";
import { Runs } from "/run-list.js";
import { takeSaved } from "/saved-warnings.js";
import { SendAllDialog, SendDialog } from "/send-dialog.js";
import { Button, Dialog, Facts, Failure, Loading, Notice, Page, Section, html, toast, useLoad, useState, useTick } from "/ui.js";
import { many, open } from "/words.js";
import { offsetIn } from "/zones.js";

const missed = { latest: "Of those that were missed, one is sent", all: "Each that was missed is sent", none: "Those that were missed are skipped" };

// ReportPage is a report, or the form: of a new one, or to edit it.
export function ReportPage({ id, query = {} }) {
  if (id === "new") return html`<${ReportForm} query=${query} />`;
  if (query.edit !== undefined) return html`<${ReportForm} id=${id} key="edit" />`;
  return html`<${Shown} id=${id} />`;
}

function Shown({ id }) {
  const [limit, setLimit] = useState(20);
  const read = useLoad(() => Promise.all([get(`/v1/reports/${id}`), get(`/v1/reports/${id}/runs?limit=${limit}`)]).then(([report, runs]) => ({ report, ...runs })),
    [id, limit], { every: (d) => (d.runs.some(open) ? 2_000 : 15_000) });
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState(null);
  const [dialog, setDialog] = useState("");
  const [warnings] = useState(() => takeSaved(id));
  const { can } = useMe();
  useTick();
  const { report, runs, next_cursor: more } = read.data || {};
  const around = useLoad(() => (report ? Promise.all([get(`/v1/connections/${report.connection_id}`), all("/v1/destinations", "destinations")])
    .then(([connection, destinations]) => ({ connection, destinations })) : {}), [report?.connection_id]);
  const connection = around.data?.connection;

  const [list, asked] = useMore(runs?.length || 0);
  const load = () => {
    asked();
    setLimit(Math.min(limit + 40, 200));
  };
  const zone = report?.schedule?.time_zone || browserZone();
  const now = new Date().toISOString();
  const elsewhere = offsetIn(now, zone) !== offsetIn(now, browserZone());

  const doing = (what, act) => async () => {
    setBusy(what);
    setProblem(null);
    try {
      await act();
    } catch (failure) {
      if (failure.code === "stale_version") await read.reload(); // the next try knows what it is now
      setProblem(failure);
    }
    setBusy("");
  };
  const turn = doing("turn", async () => {
    await patch(`/v1/reports/${id}`, { enabled: !report.enabled }, report.version);
    toast(report.enabled ? "Paused. Nothing is sent on its own until it is resumed." : "It runs on its schedule again.");
    await read.reload();
  });

  if (read.problem?.status === 404) {
    return html`<${Page} title="There is no such report" back=${{ href: "#/reports", label: "Reports" }}><p>It may have been deleted. Its runs are still listed under their own addresses.</p><//>`;
  }
  return html`<${Page} title=${report?.name} back=${{ href: "#/reports", label: "Reports" }}
    lead=${report && html`${report.schedule ? capital(report.schedule.description) : "Only when asked"}${report.schedule && html` · <${Next} report=${report} />`}`}
    actions=${report && can("editor") && html`
      <${Button} onClick=${turn} busy=${busy === "turn"} icon=${report.enabled ? "pause" : "play"}>${report.enabled ? "Pause" : "Resume"}<//>
      <${Button} icon="edit" href=${`#/reports/${id}?edit`}>Edit<//>
      <${Button} icon="mail" onClick=${() => setDialog("send")}>Send to me now<//>
      <${Button} kind="primary" icon="play" onClick=${() => setDialog("all")}>Send now<//>`}>
    ${warnings.length > 0 && html`<${Notice} tone="held" title="The report is saved. Please note:"><ul>${warnings.map((text) => html`<li key=${text}>${text}</li>`)}</ul><//>`}
    <${Failure} problem=${problem || read.problem || around.problem} retry=${problem ? undefined : () => Promise.all([read.reload(), around.reload()])} />
    ${!report && !read.problem && html`<${Loading} />`}
    <${Ailing} connection=${connection} can=${can}>Its runs wait until it works again.<//>
    ${report && html`<div class="report-columns">
      <${Section} title="Runs" lead=${elsewhere && `Times are those of ${zone.replaceAll("_", " ")}.`}>
        <${Runs} list=${list} runs=${runs} zone=${zone} first=${can("editor") && html`<${Button} icon="mail" onClick=${() => setDialog("send")}>Send to me now<//>`} />
        ${more && (limit < 200 ? html`<div class="more"><${Button} busy=${read.loading} onClick=${load}>Load more<//></div>`
          : html`<p class="quiet small more">These are the latest 200 runs; the API has all of them.</p>`)}
      <//>
      <${Section} title="What it sends">
        <div class="card">
          <${Facts} of=${[
            ["Views", html`<ul class="sent-views">${report.content.map((c, i) => html`<li key=${i}>${nameOf(c)} <${Format} format=${c.format} />
              ${tellsRows(c.format, Object.keys(c.filters).length > 0 && c.scope !== "workbook") && html`<p class="quiet small">Without data: ${{ skip: "left out", send: "sent anyway", fail: "the run fails" }[c.if_empty]}</p>`}
              ${Object.keys(c.filters).length > 0 && html`<p class="quiet small">${Object.entries(c.filters).map(([field, values]) => `${field}: ${values.join(", ")}`).join("; ")}${!c.verify_filters && " (not verified)"}</p>`}</li>`)}</ul>`],
            ["To", html`<${To} report=${report} destinations=${around.data?.destinations || []} />`],
            ["Missed", report.schedule && missed[report.schedule.catch_up]],
            ["Alerts go to", report.alerts && html`<${AlertsTo} alerts=${report.alerts} none="(add an address to the report or to its connection)" />`],
            ["Connection", connection && html`<a href=${`#/settings/connections/${connection.id}`}>${connection.name}</a>`],
          ]} />
          ${can("editor") && html`<div class="card-foot"><${Button} small kind="danger" icon="trash" onClick=${() => setDialog("delete")}>Delete<//></div>`}
        </div>
      <//>
    </div>`}
    ${dialog === "send" && html`<${SendDialog} report=${report} close=${() => setDialog("")} />`}
    ${dialog === "all" && html`<${SendAllDialog} report=${report} close=${() => setDialog("")} started=${(run) => { location.hash = `#/runs/${run.id}`; }} />`}
    ${dialog === "delete" && html`<${DeleteDialog} report=${report} runs=${runs} reload=${read.reload} close=${() => setDialog("")} />`}
  <//>`;
}

// To names to whom a report goes, at most some of them.
function To({ report, destinations, most = 6 }) {
  const { people, places } = whom(report, destinations);
  const all = [...people, ...places];
  return html`${all.slice(0, most).map((one) => html`<div key=${one}>${one}</div>`)}${all.length > most && html`<div class="quiet">and ${all.length - most} more</div>`}`;
}

function DeleteDialog({ report, runs, reload, close }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const drop = async () => {
    setBusy(true);
    try {
      await remove(`/v1/reports/${report.id}`, report.version);
      close();
      toast(`${report.name} was deleted.`);
      location.hash = "#/reports";
    } catch (failure) {
      if (failure.code === "stale_version") await reload();
      setProblem(failure);
      setBusy(false);
    }
  };
  const waiting = runs.filter((r) => r.state === "queued" || r.state === "held").length;
  return html`<${Dialog} title=${`Delete ${report.name}?`} close=${close} locked=${busy}
    footer=${(leave) => html`<${Button} data-first onClick=${leave}>Keep it<//><${Button} kind="danger" busy=${busy} onClick=${drop}>Delete the report<//>`}>
    <p>It stops being sent, and this cannot be undone.${waiting > 0 && ` ${many(waiting, "run")} that did not begin yet will be skipped.`} Its past runs and their files stay.</p>
    <p class="quiet">To stop it for a while, pause it instead.</p>
    <${Failure} problem=${problem} />
  <//>`;
}
