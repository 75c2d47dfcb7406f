// A report in words: to whom it goes, and when next.
import { browserZone, formats, nameOf } from "/report-draft.js";
import { html } from "/ui.js";
import { away, many } from "/words.js";
import { clockIn, dayIn } from "/zones.js";

// whom names everybody to whom a report goes: addresses, and Slack webhooks.
export function whom(report, destinations) {
  const people = new Set();
  const places = new Set();
  for (const d of report.destinations) {
    if (d.type === "email") for (const address of [...(d.to || []), ...(d.cc || []), ...(d.bcc || [])]) people.add(address);
    else places.add(destinations.find((kept) => kept.id === d.destination_id)?.name || "Slack");
  }
  return { people: [...people], places: [...places] };
}

// recipients says the same in few words.
export function recipients(report, destinations) {
  const { people, places } = whom(report, destinations);
  return [...(people.length > 1 ? [many(people.length, "recipient")] : people), ...places].join(", ");
}

// What names what a report exports, each view once with its formats; at most
// some of them.
export function What({ report, most = 3 }) {
  const views = new Map();
  for (const c of report.content) views.set(nameOf(c), [...(views.get(nameOf(c)) || []), c.format]);
  const named = [...views];
  return html`${named.slice(0, most).map(([name, sent], i) => html`<span key=${name}>${i > 0 && ", "}${name}${sent.map((f) => html` <${Format} key=${f} format=${f} />`)}</span>`)}${named.length > most && ` and ${named.length - most} more`}`;
}

// Format is the kind of a file.
export const Format = ({ format }) => html`<span class="format">${formats[format]?.[1] || format}</span>`;

// Next says when a report runs next, in its own zone.
export function Next({ report }) {
  if (!report.enabled) return html`<span class="state still">Paused</span>`;
  if (!report.next_run_at) return report.schedule ? "Nothing more is scheduled" : "";
  const zone = report.schedule?.time_zone || browserZone();
  const here = browserZone();
  const elsewhere = clockIn(report.next_run_at, zone) !== clockIn(report.next_run_at, here);
  return html`Next <time datetime=${report.next_run_at} title=${elsewhere ? `${dayIn(report.next_run_at, here)}, ${clockIn(report.next_run_at, here)} for you` : undefined}>${away(report.next_run_at)}</time>, ${dayIn(report.next_run_at, zone)} ${clockIn(report.next_run_at, zone)}`;
}

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
