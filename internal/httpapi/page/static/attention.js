// What somebody has to do something about, each with the way to do it.
import { post } from "/api.js";
import { Broken, usesToken } from "/connection-parts.js";
import { focusItem } from "/some.js";
import { Button, Notice, When, announce, away, date, html, toast, useState } from "/ui.js";

const soon = 30 * 86_400_000; // before a token's end

// troubles finds them in what Start has read, the gravest first.
export function troubles({ connections, reports, failed, destinations, notices = [] }) {
  const newest = new Map(reports.map((r) => [r.id, r.last_run?.id]));
  return [
    ...connections.filter((c) => c.problem).map((connection) => ({ kind: "broken", key: connection.id, connection })),
    ...notices.map((notice) => ({ kind: "untold", key: notice.id, notice })),
    // A run that failed matters until the report has run again.
    ...failed.filter((r) => newest.get(r.report_id) === r.id).map((run) => ({ kind: "failed", key: run.id, run })),
    ...destinations.filter((d) => d.state === "broken").map((destination) => ({ kind: "destination", key: destination.id, destination })),
    ...connections.filter((c) => !c.problem && usesToken(c) && c.token_life.expires_at && new Date(c.token_life.expires_at) - Date.now() < soon)
      .map((connection) => ({ kind: "ends", key: `ends-${connection.id}`, connection })),
  ];
}

const shown = 5;

export function Attention({ troubles: found, can, reload, edit }) {
  const [whole, setWhole] = useState(false);
  const some = whole ? found : found.slice(0, shown);
  const more = (event) => {
    const section = event.currentTarget.closest("section");
    setWhole(true);
    focusItem(section, shown);
  };
  return html`<section class="section attention" aria-label="Needs attention">
    ${some.map((t) => html`<${Trouble} key=${t.key} trouble=${t} can=${can} reload=${reload} edit=${() => edit(t.connection)} />`)}
    ${found.length > some.length && html`<p><${Button} small onClick=${more}>Show ${found.length - some.length} more<//></p>`}
  </section>`;
}

function Trouble({ trouble: t, can, edit, reload }) {
  switch (t.kind) {
    case "broken": {
      const c = t.connection;
      return html`<${Broken} connection=${c} named edit=${can("admin") && edit} actions=${html`<${Button} small href=${`#/settings/connections/${c.id}`}>Details<//>`} />`;
    }
    case "failed":
      return html`<${Failed} run=${t.run} can=${can} reload=${reload} />`;
    case "destination":
      return html`<${Notice} tone="bad" title=${t.destination.problem_code === "secret_missing" ? `The address of ${t.destination.name} is gone` : `Slack no longer takes messages for ${t.destination.name}`} actions=${html`<${Button} small href="#/settings">Settings<//>`}>
        <p>${t.destination.problem}</p><//>`;
    case "untold":
      return html`<${Untold} notice=${t.notice} />`;
    default: {
      const c = t.connection;
      const over = new Date(c.token_life.expires_at) < Date.now();
      return html`<${Notice} tone="held" title=${`The token of ${c.name} ${over ? "ended" : "ends"} ${away(c.token_life.expires_at)}`}
        actions=${can("admin") && html`<${Button} small onClick=${edit}>Enter a new token<//>`}>
        <p>${over ? `Its last day was ${date(c.token_life.expires_at)}. Make a new one now` : `It ends on ${date(c.token_life.expires_at)}. Make a new one before`}; reports and their history stay.</p><//>`;
    }
  }
}

function Failed({ run, can, reload }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const retry = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await post(`/v1/runs/${run.id}/retry`);
      toast(`${run.report_name} is tried again.`);
      await reload();
    } catch (failed) {
      setProblem(failed);
      announce(failed.message);
    }
    setBusy(false);
  };
  const part = run.state === "partly_delivered";
  return html`<${Notice} tone="bad" title=${part ? `${run.report_name} was not delivered in full` : `${run.report_name} failed`} actions=${html`
      ${can("editor") && !part && html`<${Button} small kind="primary" busy=${busy} onClick=${retry} aria-label=${`Try ${run.report_name} again`}>Try again<//>`}
      <${Button} small href=${`#/runs/${run.id}`}>Details<//>`}>
    <p>${run.reason || "The run says why."} <span class="quiet">(<${When} at=${run.finished_at || run.scheduled_for} />)</span></p>
    ${problem && html`<p class="bad-text" role="alert">${problem.message}</p>`}
  <//>`;
}

// Untold is a notice that nobody can be told of.
function Untold({ notice: n }) {
  const where = n.run_id ? `#/runs/${n.run_id}` : n.report_id ? `#/reports/${n.report_id}` : n.destination_id ? "#/settings" : `#/settings/connections/${n.connection_id}`;
  return html`<${Notice} tone="bad" title=${`Nobody was told: ${n.subject}`} actions=${html`<${Button} small href=${where}>Details<//>`}>
    <p>${n.to.length > 0 ? `Mail to ${n.to.join(", ")} was refused. ` : ""}${n.problem} <span class="quiet">(<${When} at=${n.created_at} />)</span></p><//>`;
}
