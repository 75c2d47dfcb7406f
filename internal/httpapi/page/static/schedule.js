// When a report runs: choices, what they mean in words, and the next times.
import { post } from "/api.js";
import { dayNames, dayWords, hourSteps, minuteSteps, toCron } from "/cron.js";
import { At, Check, Choice, Pills, Text, Wrong, useWrong } from "/report-fields.js";
import { useContext } from "/vendor/hooks.mjs";
import { Disclosure, Icon, html, useEffect, useId, useMemo, useState } from "/ui.js";
import { many } from "/words.js";
import { clockIn, dayIn, known, offsetIn, zones } from "/zones.js";

const kinds = [
  ["weekdays", "Every weekday"], ["daily", "Every day"], ["weekly", "Every week"], ["monthly", "Every month"],
  ["often", "Several times a day"], ["custom", "Custom (cron)"], ["never", "Only when asked"],
];

const nth = (n) => `${n}${n % 100 >= 11 && n % 100 <= 13 ? "th" : { 1: "st", 2: "nd", 3: "rd" }[n % 10] || "th"}`;
const monthDays = [
  ...Array.from({ length: 31 }, (_, i) => [String(i + 1), `${nth(i + 1)}`]), ["L", "last day"],
];
const counted = [["#1", "first"], ["#2", "second"], ["#3", "third"], ["#4", "fourth"], ["L", "last"]]
  .flatMap(([mark, words]) => dayNames.map((day) => [day + mark, `${words} ${dayWords[day]}`]));
const steps = [
  ...minuteSteps.map((n) => [`${n}m`, `every ${n} minutes`]),
  ...hourSteps.map((n) => [`${n}h`, n === 1 ? "every hour" : `every ${n} hours`]),
];

const catchUps = [
  ["latest", "Send one", "It stands for all that were missed, with the newest numbers."],
  ["all", "Send each", "Every missed time is made up for, up to 100."],
  ["none", "Skip them", "It goes on with the next time."],
];

// missing says what the choices still lack, as the API would of its fields.
export function missing(s) {
  if (!s.on || toCron(s.plan)) return [];
  const message = s.plan.kind === "custom" ? "Give five fields: minute, hour, day of month, month, day of week. 0 9 * * MON-FRI is every weekday at 9:00."
    : s.plan.kind === "weekly" && s.plan.days.length === 0 ? "Choose at least one day." : "Give the time of day.";
  return [{ field: "schedule.cron", message }];
}

// useDelayed gives a value once it has not changed for a while.
export function useDelayed(value, wait = 300) {
  const [later, setLater] = useState(value);
  const text = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => setLater(value), wait);
    return () => clearTimeout(timer);
  }, [text, wait]);
  return later;
}

// usePreview asks what a schedule means. fields are those that are wrong.
function usePreview(s) {
  const [preview, setPreview] = useState({ fields: [] });
  const asked = useDelayed(s.on ? { cron: toCron(s.plan), time_zone: s.time_zone.trim(), starts_on: s.starts_on || null, ends_on: s.ends_on || null } : null);
  useEffect(() => {
    if (!asked?.cron || !asked.time_zone) {
      setPreview({ fields: [] });
      return undefined;
    }
    const stop = new AbortController();
    post("/v1/schedules/preview", { ...asked, count: 5 }, { signal: stop.signal }).then(
      (answer) => setPreview({ ...answer, zone: asked.time_zone, fields: [] }),
      (problem) => stop.signal.aborted || setPreview({ failed: problem.fields?.length ? "" : problem.message,
        fields: (problem.fields || []).map((f) => ({ ...f, field: `schedule.${f.field}` })) }));
    return () => stop.abort();
  }, [JSON.stringify(asked)]);
  return preview;
}

export function ScheduleEditor({ value: s, change }) {
  const preview = usePreview(s);
  const plan = s.plan;
  const set = (more) => change({ ...s, ...more });
  const plot = (more) => set({ plan: { ...plan, ...more } });
  const choose = (kind) => {
    if (kind === "never") set({ on: false });
    // Whoever turns to cron starts from what was chosen before.
    else if (kind === "custom") set({ on: true, plan: { ...plan, kind, cron: toCron(plan) || plan.cron } });
    else set({ on: true, plan: { ...plan, kind } });
  };
  const wrong = useWrong("schedule.cron");
  const cronAt = plan.kind === "custom" && s.on ? undefined : "schedule.cron";
  return html`<div class="schedule">
    <div class="row-of-fields">
      <${Choice} path=${cronAt} label="Repeats" value=${s.on ? plan.kind : "never"} options=${kinds} change=${choose} />
      ${s.on && plan.kind === "monthly" && html`<${At} label="On the">${(given) => html`
        <select ...${given} value=${plan.monthDay} onChange=${(event) => plot({ monthDay: event.target.value })}>
          <optgroup label="Day of the month">${monthDays.map(([key, words]) => html`<option value=${key} selected=${key === plan.monthDay}>${words}</option>`)}</optgroup>
          <optgroup label="Day of the week">${counted.map(([key, words]) => html`<option value=${key} selected=${key === plan.monthDay}>${words}</option>`)}</optgroup>
        </select>`}<//>`}
      ${s.on && plan.kind === "often" && html`<${Choice} label="How often" value=${plan.every} options=${steps} change=${(every) => plot({ every })} />`}
      ${s.on && plan.kind === "often" && plan.every.endsWith("h") && html`<${Choice} label="At minute" value=${String(plan.minute)}
        options=${Array.from({ length: 60 }, (_, n) => [String(n), `:${String(n).padStart(2, "0")}`])} change=${(n) => plot({ minute: Number(n) })} />`}
      ${s.on && plan.kind !== "often" && plan.kind !== "custom" && html`<${Text} label="At" type="time" value=${plan.time} change=${(time) => plot({ time })} />`}
      ${s.on && html`<${Zone} value=${s.time_zone} change=${(time_zone) => set({ time_zone })} said=${preview.fields} />`}
    </div>
    ${!s.on && html`<p class="quiet">Nothing is sent on its own. Run it here, or by the API.</p>`}
    ${s.on && plan.kind === "weekly" && html`<${Days} value=${plan.days} change=${(days) => plot({ days })} wrong=${wrong} />`}
    ${s.on && plan.kind === "often" && html`<${Check} label="Only from Monday to Friday" value=${plan.onWeekdays} change=${(onWeekdays) => plot({ onWeekdays })} />`}
    ${s.on && plan.kind === "custom" && html`<${Text} path="schedule.cron" label="Cron expression" class="code" value=${plan.cron} change=${(cron) => plot({ cron })} spellcheck=${false} autocomplete="off"
      hint="Five fields: minute, hour, day of month, month, day of week. FRI#2 is the second Friday, L the last day, 15W the weekday nearest the 15th." />`}
    ${s.on && html`<${Upcoming} preview=${preview} />
      <${Disclosure} title="Start, end, and what was missed">
        <div class="stack">
          <div class="row-of-fields">
            <${Text} path="schedule.starts_on" label="First day" optional type="date" value=${s.starts_on} change=${(starts_on) => set({ starts_on })} />
            <${Text} path="schedule.ends_on" label="Last day" optional type="date" value=${s.ends_on} change=${(ends_on) => set({ ends_on })} />
          </div>
          <${CatchUp} value=${s.catch_up} change=${(catch_up) => set({ catch_up })} />
        </div>
      <//>`}
  </div>`;
}

function Zone({ value, change, said }) {
  const list = useId();
  const all = useMemo(zones, []);
  const now = new Date().toISOString();
  const asked = useWrong("schedule.time_zone") || said.find((f) => f.field === "schedule.time_zone");
  return html`<${At} path="schedule.time_zone" label="Time zone" hint=${!asked && known(value) ? `Now ${clockIn(now, value)}, ${offsetIn(now, value)}` : undefined}>${(given) => html`
    <input type="text" ...${given} list=${list} value=${value} autocomplete="off" spellcheck=${false} onInput=${(event) => change(event.target.value)} />
    <datalist id=${list}>${all.map((zone) => html`<option key=${zone} value=${zone}></option>`)}</datalist>`}<//>`;
}

function Days({ value, change, wrong }) {
  const id = useId();
  const turn = (day) => change(dayNames.filter((d) => (d === day) !== value.includes(d)));
  return html`<fieldset class="pills" aria-describedby=${wrong ? id : undefined}><legend>On</legend>
    <div class="pill-row days">${dayNames.map((day) => html`<label class="pill" key=${day}>
      <input type="checkbox" checked=${value.includes(day)} onChange=${() => turn(day)} aria-label=${dayWords[day]} /><span aria-hidden="true">${dayWords[day].slice(0, 3)}</span></label>`)}</div>
  </fieldset>`;
}

function CatchUp({ value, change }) {
  return html`<div>
    <${Pills} path="schedule.catch_up" label="When runs were missed, because the connection was broken or vizpost was off" value=${value} change=${change}
      options=${catchUps.map(([key, words]) => [key, words])} />
    <p class="hint">${catchUps.find(([key]) => key === value)?.[2]}</p>
  </div>`;
}

// Upcoming says the schedule in words, and its next times in its zone and here.
function Upcoming({ preview }) {
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const { description, occurrences = [], zone, failed } = preview;
  const told = useContext(Wrong).shown;
  const fields = preview.fields.filter((f) => !told[f.field]?.includes(f.message));
  if (failed) return html`<p class="error">${failed}</p>`;
  if (fields.length > 0) return html`<div class="next-times wrong" role="status"><p><${Icon} name="alert" /><span>${fields.map((f) => f.message).join(" ")}</span></p></div>`;
  if (preview.fields.length > 0) return null; // said beside the field
  if (!description) return html`<div class="next-times" aria-busy="true"></div>`;
  const elsewhere = zone !== here && occurrences.some((at) => clockIn(at, zone) !== clockIn(at, here));
  return html`<div class="next-times">
    <p class="in-words" role="status"><${Icon} name="clock" /><span>Runs ${description}</span></p>
    <ol aria-label=${`The next ${many(occurrences.length, "time")}`}>${occurrences.map((at, i) => {
      const change = i > 0 && offsetIn(at, zone) !== offsetIn(occurrences[i - 1], zone);
      return html`<li key=${at}><time datetime=${at}><span class="on-day">${dayIn(at, zone)}</span> <strong>${clockIn(at, zone)}</strong></time>
        ${elsewhere && html` <span class="quiet">${dayIn(at, here) === dayIn(at, zone) ? "" : `${dayIn(at, here)} `}${clockIn(at, here)} for you</span>`}
        ${change && html` <span class="quiet note">clocks change: ${offsetIn(at, zone)}</span>`}</li>`;
    })}</ol>
  </div>`;
}
