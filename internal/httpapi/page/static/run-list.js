// Runs in a list, each in one line.
import { clockIn, dayIn, took } from "/zones.js";
import { Empty, State, html } from "/ui.js";
import { away, many, runStates, stateOf } from "/words.js";

export const triggers = (run) => run.dry_run ? "Export only" : run.only_to.length > 0 ? `Test to ${run.only_to.join(", ")}` : run.trigger === "manual" ? "Run by hand" : "On schedule";

// briefly says in one line how a run is doing.
export function briefly(run) {
  switch (stateOf(run)) {
    case "exported": return "Nothing was sent";
    case "queued": return run.reason || (run.not_before && new Date(run.not_before) - Date.now() > 60_000 ? `Next try ${away(run.not_before)}` : "Begins in a moment");
    case "running": return run.progress.files_done < run.progress.files_total ? `${run.progress.files_done} of ${many(run.progress.files_total, "file")} exported` : "Sending";
    case "delivered": return run.reason || many(run.files.length, "file");
    default: return run.reason;
  }
}

// Runs is the list, with times in a zone; first is what is offered while nothing
// has run, and list gets the list as it stands in the page.
export function Runs({ runs, zone, first, list }) {
  if (runs.length === 0) return html`<${Empty} icon="clock" title="It has not run yet" actions=${first}>${first ? "Send it to yourself first, and see what others will get." : "Its runs are listed here."}<//>`;
  return html`<ul class="list runs" ref=${list}>${runs.map((run) => html`<li class="run-row" key=${run.id}>
    <div class="run-state"><${State} states=${runStates} state=${stateOf(run)} /></div>
    <div class="grow"><a class="strong" href=${`#/runs/${run.id}`}>${dayIn(run.scheduled_for, zone)}, ${clockIn(run.scheduled_for, zone)}</a>
      <p class="quiet">${[triggers(run), run.stands_for > 1 && `stands for ${run.stands_for}`, run.released_at && `was held, released ${away(run.released_at)}`].filter(Boolean).join(" · ")}</p>
      ${briefly(run) && html`<p class=${run.state === "failed" || run.state === "partly_delivered" ? "why" : "quiet"}>${briefly(run)}</p>`}</div>
    <span class="quiet small nowrap">${run.started_at && run.finished_at ? took(run.started_at, run.finished_at) : ""}</span>
  </li>`)}</ul>`;
}
