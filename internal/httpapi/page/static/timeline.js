// Today as a line: what ran, now, and what is next.
import { h } from "/vendor/preact.mjs";
import { Icon, Section, State, away, html, useState } from "/ui.js";
import { focusItem } from "/some.js";
import { many, moment, open, runStates, stateOf } from "/words.js";

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const hour = 3_600_000;
const shownPast = 8;
const shownNext = 6;

export function Timeline({ data: { runs, reports } }) {
  const [whole, setWhole] = useState(false);
  const groups = grouped(runs);
  const past = whole ? groups : groups.slice(-shownPast);
  const hidden = groups.slice(0, groups.length - past.length).reduce((n, g) => n + g.runs.length, 0);
  const next = reports.filter((r) => r.enabled && r.next_run_at).sort((a, b) => new Date(a.next_run_at) - new Date(b.next_run_at));
  const earlier = (event) => {
    const moments = event.currentTarget.closest(".timeline").querySelector(".moments");
    setWhole(true);
    focusItem(moments, 0);
  };
  const paused = reports.filter((r) => !r.enabled);
  return html`<${Section} title="Today" lead=${`Times are those of ${zone()}.`}>
    <div class="card timeline">
      <${Day} runs=${runs} next=${next} />
      ${hidden > 0 && html`<p class="timeline-more"><button type="button" class="link small" onClick=${earlier}>Show ${many(hidden, "earlier run")}</button></p>`}
      <ol class="moments">
        ${past.map((g) => html`<${Past} key=${g.runs[0].id} group=${g} />`)}
        <li class="now-line"><span>Now, ${clock.format(new Date())}</span></li>
        ${next.slice(0, shownNext).map((r) => html`<li class="moment later" key=${`next-${r.id}`}>
          <time class="moment-time" datetime=${r.next_run_at}>${time(r.next_run_at)}</time>
          <div class="grow"><a class="strong" href=${`#/reports/${r.id}`}>${r.name}</a>
            <p class="quiet small">${away(r.next_run_at)}${r.schedule && html`, ${r.schedule.description}`}</p></div>
          <span class="state planned">Planned</span>
        </li>`)}
        ${next.length === 0 && html`<li class="moment later"><span class="moment-time"></span><p class="quiet grow">Nothing is planned.</p></li>`}
      </ol>
      ${next.length > shownNext && html`<p class="quiet small timeline-more">And ${many(next.length - shownNext, "more report")}. <a href="#/reports">See all reports</a>.</p>`}
      ${paused.length > 0 && html`<p class="quiet small timeline-more paused"><${Icon} name="pause" size=${14} /><span>Paused: ${paused.slice(0, 5).map((r, i) => html`${i > 0 && ", "}<a href=${`#/reports/${r.id}`}>${r.name}</a>`)}${paused.length > 5 && ` and ${paused.length - 5} more`}.</span></p>`}
    </div>
  <//>`;
}

// zone is that of the browser, which all times on the page are in.
const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ");

// time gives the clock for today, else the day too.
const time = (at) => (new Date(at).toDateString() === new Date().toDateString() ? clock.format(new Date(at)) : moment(at).replace(", ", "\n"));

// grouped puts runs of one report that went the same way, one after the other,
// into one line. What is open or failed stands alone.
function grouped(runs) {
  const groups = [];
  for (const run of runs) {
    const last = groups.at(-1);
    if (last && last.runs[0].report_id === run.report_id && last.state === stateOf(run) && ["delivered", "skipped", "exported"].includes(last.state)) last.runs.push(run);
    else groups.push({ state: stateOf(run), runs: [run] });
  }
  return groups;
}

function Past({ group: { runs } }) {
  const [run, first] = [runs.at(-1), runs[0]];
  const several = runs.length > 1;
  return html`<li class="moment">
    <time class="moment-time" datetime=${run.scheduled_for}>${time(run.scheduled_for)}</time>
    <div class="grow"><a class="strong" href=${`#/runs/${run.id}`}>${run.report_name}</a>
      <p class="quiet small">${several ? `${runs.length} runs since ${clock.format(new Date(first.scheduled_for))}` : briefly(run)}</p></div>
    <${State} states=${runStates} state=${stateOf(run)} />
  </li>`;
}

// briefly says in one line how a run is doing.
function briefly(run) {
  switch (stateOf(run)) {
    case "queued": return run.reason || (new Date(run.not_before) - Date.now() > 60_000 ? `Next try ${away(run.not_before)}` : "Waits for its turn");
    case "running": return `${run.progress.files_done} of ${many(run.progress.files_total, "file")} exported`;
    case "exported": return "Nothing was sent";
    case "delivered": return run.only_to.length > 0 ? `A test, to ${run.only_to.join(", ")}` : run.reason || run.files.filter((f) => !f.left_out).map((f) => f.name).join(", ");
    default: return run.reason;
  }
}

const colour = (state) => (runStates[state] || ["", "still"])[1];

// Day is the same at a glance: a dot for each run and each planned one, on the
// hours of today. The list below says it in words.
function Day({ runs, next }) {
  const from = new Date().setHours(0, 0, 0, 0);
  const until = new Date(from).setDate(new Date(from).getDate() + 1);
  const x = (at) => `${(((new Date(at) - from) / (until - from)) * 100).toFixed(2)}%`;
  const today = (at) => new Date(at) >= from && new Date(at) < until;
  const hours = [];
  for (let at = from; at <= until; at += 6 * hour) hours.push(at);
  // Dots that would lie on each other are drawn once, the gravest above.
  const grave = ["still", "good", "busy", "held", "bad"];
  const places = new Map();
  for (const run of runs.filter((r) => today(r.scheduled_for))) {
    const place = Math.round((new Date(run.scheduled_for) - from) / (hour / 6));
    const tone = colour(run.state);
    if (!places.has(place) || grave.indexOf(tone) > grave.indexOf(places.get(place).tone)) places.set(place, { at: run.scheduled_for, tone });
  }
  const dots = [...places.values()].sort((a, b) => grave.indexOf(a.tone) - grave.indexOf(b.tone));
  const anchor = (i) => (i === 0 ? "start" : i === hours.length - 1 ? "end" : "middle");
  return h("svg", { class: "day", width: "100%", height: 46, "aria-hidden": "true" },
    h("line", { x1: "0%", x2: "100%", y1: 14, y2: 14, class: "day-axis" }),
    h("line", { x1: "0%", x2: x(Date.now()), y1: 14, y2: 14, class: "day-gone" }),
    hours.slice(1, -1).map((at) => h("line", { key: at, x1: x(at), x2: x(at), y1: 9, y2: 19, class: "day-tick" })),
    hours.map((at, i) => h("text", { key: at, x: x(at), y: 42, "text-anchor": anchor(i), class: "day-hour" }, i === hours.length - 1 ? "24:00" : clock.format(at))),
    next.filter((r) => today(r.next_run_at)).map((r) => h("circle", { key: r.id, cx: x(r.next_run_at), cy: 14, r: 4.5, class: "day-next" })),
    dots.map((d) => h("circle", { key: d.at, cx: x(d.at), cy: 14, r: 5, class: `day-dot ${d.tone}` })),
    h("line", { x1: x(Date.now()), x2: x(Date.now()), y1: 2, y2: 26, class: "day-now" }));
}
