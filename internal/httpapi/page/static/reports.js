// The reports: the list, and one with what it exports, when, and to whom.
import { get, post } from "/api.js";
import { Button, Empty, Failure, Loading, Page, State, When, html, toast, useLoad } from "/ui.js";
import { runStates } from "/words.js";

export function Reports() {
  const { data, problem, reload } = useLoad(() => get("/v1/reports?limit=100"), []);
  return html`<${Page} title="Reports" lead="What is exported, when, and to whom.">
    <${Failure} problem=${problem} retry=${reload} />
    ${!data && !problem && html`<${Loading} />`}
    ${data && (data.reports.length === 0
      ? html`<${Empty} icon="file" title="There is no report yet">A report says which views are exported, when, and to whom.<//>`
      : html`<ul class="list">${data.reports.map((r) => html`<li class="list-row" key=${r.id}>
          <div class="grow"><a class="strong" href=${`#/reports/${r.id}`}>${r.name}</a>
            <p class="quiet">${r.schedule ? r.schedule.description : "Only when it is asked to"}</p></div>
          ${r.next_run_at && html`<span class="quiet"><${When} at=${r.next_run_at} /></span>`}
        </li>`)}</ul>`)}
  <//>`;
}

export function ReportPage({ id }) {
  const { data, problem, reload } = useLoad(() => Promise.all([get(`/v1/reports/${id}`), get(`/v1/reports/${id}/runs?limit=20`)]), [id], { every: 3000 });
  const [report, runs] = data || [];
  const run = async () => {
    const started = await post(`/v1/reports/${id}/runs`);
    toast("The report runs.");
    location.hash = `#/runs/${started.id}`;
  };
  return html`<${Page} title=${report?.name} back=${{ href: "#/reports", label: "Reports" }}
    actions=${report && html`<${Button} kind="primary" icon="play" onClick=${run}>Run now<//>`}>
    <${Failure} problem=${problem} retry=${reload} />
    ${runs && html`<ul class="list">${runs.runs.map((r) => html`<li class="list-row" key=${r.id}>
      <${State} states=${runStates} state=${r.state} /><a class="grow" href=${`#/runs/${r.id}`}><${When} at=${r.scheduled_for} /></a></li>`)}</ul>`}
  <//>`;
}
