// A report in words: to whom it goes, and when next.
import { browserZone } from "/report-draft.js";
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
