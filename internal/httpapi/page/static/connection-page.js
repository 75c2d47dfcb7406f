// One connection: its state and what waits for it, the reports that use it, and
// who changed what.
import { all, get, remove } from "/api.js";
import { ConnectionDialog } from "/connection-dialog.js";
import { History } from "/connection-history.js";
import { Broken, ConnectionState, TokenLife, usesToken } from "/connection-parts.js";
import { TestDialog } from "/connection-test.js";
import { useMe } from "/me.js";
import { capital } from "/report-words.js";
import { useMore } from "/some.js";
import { AlertsTo } from "/trouble.js";
import { Button, Dialog, Facts, Failure, Loading, Notice, Page, Section, When, html, refocus, toast, useLoad, useState } from "/ui.js";
import { many, moment } from "/words.js";

const few = 10; // reports that are shown at first

export function ConnectionPage({ id }) {
  const { can } = useMe();
  const { data: c, problem, reload } = useLoad(() => get(`/v1/connections/${id}`), [id], { every: 6000 });
  const [shown, setShown] = useState(""); // edit, test, delete
  const [changes, setChanges] = useState(0);
  const closed = () => {
    setShown("");
    setChanges(changes + 1);
    reload().then(refocus);
  };
  return html`<${Page} title=${c?.name || (problem ? "Connection" : "")} back=${{ href: "#/settings", label: "Settings" }}
    lead=${c && html`<span class="lead-row"><${ConnectionState} connection=${c} /> <a href=${c.server_url} target="_blank" rel="noopener noreferrer">${c.server_url}</a>${c.site && html` <span>site ${c.site}</span>`}</span>`}
    actions=${c && can("admin") && html`<${Button} onClick=${() => setShown("test")}>Test<//><${Button} kind="primary" icon="edit" onClick=${() => setShown("edit")}>Edit<//>`}>
    ${problem?.status === 404 ? html`<p>It was deleted, or the address is mistyped.</p>` : html`<${Failure} problem=${problem} retry=${reload} />`}
    ${!c && !problem && html`<${Loading} />`}
    ${c && html`
      <${Broken} connection=${c} edit=${can("admin") && (() => setShown("edit"))} />
      <div class="card"><${Facts} two of=${[
        ["Signs in as", c.identity.user_name || "not known yet"],
        ["With", usesToken(c) ? `the token ${c.auth.token_name}` : `the username ${c.auth.username} and a password`],
        ["Last sign-in", c.token_life.last_used_at && moment(c.token_life.last_used_at)],
        ["Token", usesToken(c) && html`<${TokenLife} connection=${c} whole />`],
        ["Tableau", c.server.product_version && `${c.server.product_version}, REST API ${c.server.rest_api_version}`],
        ["Alerts go to", c.alerts && html`<${AlertsTo} alerts=${c.alerts} none=${can("admin") && html`(<button type="button" class="link" onClick=${() => setShown("edit")}>add an address</button>)`} />`],
        ["Made", moment(c.created_at)],
      ]} /></div>
      <${Held} connection=${c} />
      <${Uses} connection=${c} can=${can} />
      <${History} connection=${c} changes=${changes} />
      ${can("admin") && html`<${Section} title="Delete" lead="Its credential is removed. What it delivered stays.">
        <${Button} kind="danger" onClick=${() => setShown("delete")}>Delete this connection<//><//>`}
      ${shown === "edit" && html`<${ConnectionDialog} connection=${c} close=${closed} />`}
      ${shown === "test" && html`<${TestDialog} connection=${c} edit=${can("admin") && (() => setShown("edit"))} close=${closed} />`}
      ${shown === "delete" && html`<${DeleteDialog} connection=${c} close=${() => setShown("")} />`}
    `}
  <//>`;
}

function Held({ connection: c }) {
  const { data } = useLoad(() => get(`/v1/runs?state=held&connection_id=${c.id}&limit=20`), [c.id, c.held_runs], { every: 8000 });
  if (!data || data.runs.length === 0) return null;
  return html`<${Section} title="Held runs" lead="They wait for this connection, and are delivered by their report's catch-up once it works.">
    <ul class="list">${data.runs.map((r) => html`<li class="list-row" key=${r.id}>
      <div class="grow"><a class="strong" href=${`#/runs/${r.id}`}>${r.report_name}</a></div>
      <span class="quiet small">for <${When} at=${r.scheduled_for} />${r.held_at && html`, held since <${When} at=${r.held_at} />`}</span>
    </li>`)}</ul>
    ${data.next_cursor && html`<p class="quiet small">And more; these are the latest 20.</p>`}
  <//>`;
}

function Uses({ connection: c, can }) {
  const [whole, setWhole] = useState(false);
  const { data, problem, loading, reload } = useLoad(() => (whole ? all(`/v1/reports?connection_id=${c.id}`, "reports") : get(`/v1/reports?connection_id=${c.id}&limit=${few}`).then((read) => read.reports)),
    [c.id, c.report_count, whole]);
  const reports = data || [];
  const [list, asked] = useMore(reports.length);
  const more = () => {
    asked();
    setWhole(true);
  };
  return html`<${Section} title="Reports that use it">
    <${Failure} problem=${problem} retry=${reload} />
    ${data && reports.length === 0 && html`<p class="quiet">No report uses it yet. ${can("editor") && html`<a href=${`#/reports/new?connection=${c.id}`}>Make one</a>.`}</p>`}
    ${reports.length > 0 && html`<ul class="list" ref=${list}>${reports.map((r) => html`<li class="list-row" key=${r.id}>
      <div class="grow"><a class="strong" href=${`#/reports/${r.id}`}>${r.name}</a>
        <p class="quiet">${r.schedule ? capital(r.schedule.description) : "Only when asked"}</p></div>
      <span class="quiet small">${!r.enabled ? "Paused" : r.next_run_at && html`Next <${When} at=${r.next_run_at} />`}</span>
    </li>`)}</ul>`}
    ${reports.length > 0 && reports.length < c.report_count && html`<div class="more"><${Button} busy=${whole && loading} onClick=${more}>Show all ${c.report_count} reports<//></div>`}
  <//>`;
}

// DeleteDialog says what would break before anything is asked for.
function DeleteDialog({ connection: c, close }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const uses = problem?.code === "in_use" ? problem.body.reports || [] : null;
  const blocked = uses || c.report_count > 0;
  const reports = useLoad(() => get(`/v1/reports?connection_id=${c.id}&limit=20`), [c.id]);
  const names = uses || reports.data?.reports || [];
  const count = problem?.body.report_count || c.report_count;
  const go = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await remove(`/v1/connections/${c.id}`, c.version);
      toast(`${c.name} is deleted.`);
      close();
      location.hash = "#/settings";
    } catch (failed) {
      setBusy(false);
      setProblem(failed);
    }
  };
  return html`<${Dialog} title=${`Delete ${c.name}?`} close=${close} locked=${busy}
    footer=${html`<${Button} onClick=${close} data-first>${blocked ? "Close" : "Cancel"}<//>
      ${!blocked && html`<${Button} kind="danger" busy=${busy} onClick=${go}>Delete<//>`}`}>
    ${blocked ? html`<${Notice} tone="held" title=${`${many(count, "report uses", "reports use")} this connection`}>
        <p>They could no longer run. Move them to another connection, or delete them first.</p><//>
        <ul class="bullets">${names.map((r) => html`<li key=${r.id}><a href=${`#/reports/${r.id}`} onClick=${close}>${r.name}</a></li>`)}</ul>
        ${count > names.length && names.length > 0 && html`<p class="quiet small">And ${count - names.length} more.</p>`}`
      : html`<p>No report uses it. Its credential is removed from vizpost; the token itself stays in Tableau until it is revoked there.</p>`}
    ${problem && !uses && html`<${Failure} problem=${problem} />`}
  <//>`;
}
