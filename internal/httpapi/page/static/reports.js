// The list of reports.
import { all, get, patch } from "/api.js";
import { useMe } from "/me.js";
import { useMore } from "/some.js";
import { Next, What, capital, recipients } from "/report-words.js";
import { SendAllDialog } from "/send-dialog.js";
import { Button, Empty, Failure, Icon, Loading, Page, State, html, toast, useLoad, useState, useTick } from "/ui.js";
import { away, many, open, runStates } from "/words.js";

export { ReportPage } from "/report.js";

const pageSize = 25;
const mostSearched = 1000; // reports that a search looks at

// readReports reads the list from its beginning until it has so many.
async function readReports(wanted) {
  const reports = [];
  let cursor = "";
  do {
    const limit = Math.min(Math.max(wanted - reports.length, 1), 100);
    const answer = await get(`/v1/reports?last_run=true&limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    reports.push(...answer.reports);
    cursor = answer.next_cursor || "";
  } while (cursor && reports.length < wanted);
  return { reports, more: Boolean(cursor) };
}

export function Reports() {
  const [wanted, setWanted] = useState(pageSize);
  const [search, setSearch] = useState("");
  const most = search.trim() ? mostSearched : wanted;
  const list = useLoad(() => readReports(most), [most], { every: (d) => (d.reports.some((r) => r.last_run && open(r.last_run)) ? 2_500 : 20_000) });
  const around = useLoad(() => Promise.all([get("/v1/connections?limit=1"), all("/v1/destinations", "destinations")])
    .then(([c, destinations]) => ({ connected: c.connections.length > 0, destinations })), []);
  useTick();
  const { reports, more } = list.data || {};
  const ready = list.data && around.data;
  const connected = around.data?.connected;
  const { can, lacks } = useMe();
  const words = search.trim().toLowerCase();
  const shown = (reports || []).filter((r) => !words || [r.name, ...r.content.flatMap((c) => [c.view_name, c.workbook])].some((text) => text?.toLowerCase().includes(words)));

  const [rows, asked] = useMore(shown.length);
  const load = () => {
    asked();
    setWanted(wanted + pageSize);
  };

  return html`<${Page} title="Reports" lead="What is exported, when, and to whom."
    actions=${ready && connected && reports.length > 0 && can("editor") && html`<${Button} kind="primary" icon="plus" href="#/reports/new">New report<//>`}>
    <${Failure} problem=${list.problem || around.problem} retry=${() => Promise.all([list.reload(), around.reload()])} />
    ${!ready && !list.problem && !around.problem && html`<${Loading} />`}
    ${ready && reports.length === 0 && !words && (connected ? html`<${Empty} icon="file" title="Make the first report"
        actions=${can("editor") && html`<${Button} kind="primary" icon="plus" href="#/reports/new">New report<//>`}>
        ${lacks("editor") ? "There is no report yet. An editor has to make it." : "Choose views in Tableau, say when they are sent and to whom. You can send it to yourself first."}<//>`
      : html`<${Empty} icon="key" title="Connect to Tableau first" actions=${can("admin") && html`<${Button} kind="primary" href="#/settings">Go to Settings<//>`}>
        A report is exported through a connection, and there is none yet.${lacks("admin") && " An administrator has to make it."}<//>`)}
    ${ready && (reports.length > 0 || words) && html`
      ${(reports.length > 5 || words || more) && html`<div class="search-box list-search"><${Icon} name="search" />
        <input type="search" aria-label="Search reports" placeholder="Search by name, view or workbook" value=${search} onInput=${(event) => setSearch(event.target.value)} /></div>`}
      <p class="visually-hidden" role="status">${words ? many(shown.length, "report matches", "reports match") : ""}</p>
      ${shown.length === 0 ? html`<p class="no-views quiet">No report matches “${search.trim()}”.</p>`
        : html`<ul class="list reports" ref=${rows}>${shown.map((r) => html`<${Row} key=${r.id} can=${can} report=${r} destinations=${around.data.destinations} reload=${list.reload} />`)}</ul>`}
      ${more && !words && html`<div class="more"><${Button} busy=${list.loading} onClick=${load}>Load more<//></div>`}
      ${more && words && html`<p class="quiet small more">Only the first ${mostSearched} reports were searched.</p>`}`}
  <//>`;
}

function Row({ report, can, destinations, reload }) {
  const [sending, setSending] = useState(false);
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState(null);
  const doing = async (what, act) => {
    setBusy(what);
    setProblem(null);
    try {
      await act();
      await reload();
    } catch (failed) {
      if (failed.code === "stale_version") await reload(); // the next try knows what it is now
      setProblem(failed);
    }
    setBusy("");
  };
  const started = () => {
    toast(`${report.name} is being sent.`);
    reload();
  };
  const turn = () => doing("turn", async () => {
    await patch(`/v1/reports/${report.id}`, { enabled: !report.enabled }, report.version);
    toast(`${report.name} ${report.enabled ? "is paused" : "runs on its schedule again"}.`);
  });
  const last = report.last_run;
  return html`<li class="report-row">
    <div class="what"><h2><a href=${`#/reports/${report.id}`}>${report.name}</a></h2>
      <p class="quiet"><${What} report=${report} /></p></div>
    <div class="when"><p>${report.schedule ? capital(report.schedule.description) : "Only when asked"}</p><p class="quiet"><${Next} report=${report} /></p></div>
    <p class="to quiet"><span class="visually-hidden">To </span>${recipients(report, destinations)}</p>
    <div class="last">${last ? html`<a href=${`#/runs/${last.id}`}><span class="visually-hidden">Last run: </span><${State} states=${runStates} state=${last.state} />
      <span class="quiet">${away(last.finished_at || last.scheduled_for)}</span></a>` : html`<span class="quiet">Never run</span>`}</div>
    ${can("editor") && html`<div class="actions">
      <${Button} small onClick=${() => setSending(true)} aria-label=${`Send now: ${report.name}`}>Send now<//>
      <button type="button" class="icon-button" disabled=${busy === "turn"} aria-label=${`${report.enabled ? "Pause" : "Resume"} ${report.name}`} title=${report.enabled ? "Pause" : "Resume"} onClick=${turn}><${Icon} name=${report.enabled ? "pause" : "play"} /></button>
    </div>`}
    ${sending && html`<${SendAllDialog} report=${report} close=${() => setSending(false)} started=${started} />`}
    ${problem && html`<p class="bad-text row-problem" role="alert">${[problem.message, ...problem.fields.map((f) => f.message)].join(" ")}</p>`}
  </li>`;
}
