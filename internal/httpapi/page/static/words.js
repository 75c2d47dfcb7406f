// Times, sizes and states in words.

const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

const sameDay = (a, b) => a.toDateString() === b.toDateString();

// moment gives a time in the browser's zone: "today, 09:00".
export function moment(text) {
  const at = new Date(text);
  const now = new Date();
  const tomorrow = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  let which = day.format(at);
  if (sameDay(at, now)) which = "today";
  else if (sameDay(at, tomorrow)) which = "tomorrow";
  else if (sameDay(at, yesterday)) which = "yesterday";
  else if (Math.abs(at - now) > 300 * 86_400_000) which = dayOfYear.format(at);
  return `${which}, ${clock.format(at)}`;
}

export const date = (text) => dayOfYear.format(new Date(text));

// away gives how far off a time is: "in 3 hours".
export function away(text) {
  const seconds = (new Date(text) - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) return seconds < 0 ? "just now" : "in a moment";
  if (size < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return relative.format(Math.round(seconds / 3600), "hour");
  if (size < 75 * 86_400) return relative.format(Math.round(seconds / 86_400), "day");
  if (size < 700 * 86_400) return relative.format(Math.round(seconds / (30.44 * 86_400)), "month");
  return relative.format(Math.round(seconds / (365.25 * 86_400)), "year");
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export const many = (n, one, several = `${one}s`) => `${n} ${n === 1 ? one : several}`;

// Each state has words and a tone: good, busy, bad, held or still.
export const runStates = {
  queued: ["Waiting", "busy"],
  running: ["Running", "busy"],
  held: ["Held", "held"],
  delivered: ["Delivered", "good"],
  partly_delivered: ["Partly delivered", "bad"],
  failed: ["Failed", "bad"],
  skipped: ["Skipped", "still"],
  exported: ["Exported", "good"], // and nothing was to be sent
};

// stateOf is a run's state as it is shown: one that was to export alone, and did,
// is no run that was skipped.
export const stateOf = (run) => (exportedOnly(run) ? "exported" : run.state);
export const exportedOnly = (run) => run.dry_run && run.state === "skipped" && run.progress.files_total > 0 && run.progress.files_done >= run.progress.files_total;

export const deliveryStates = {
  waiting: ["Waiting", "still"],
  sending: ["Sending", "busy"],
  sent: ["Sent", "good"],
  written: ["Written", "good"], // to the outbox, which sends nothing
  confirmed: ["Arrived", "good"],
  bounced: ["Sent back", "bad"],
  failed: ["Failed", "bad"],
  unsure: ["Unsure", "held"],
};

export const connectionStates = {
  connected: ["Connected", "good"],
  needs_credentials: ["Needs credentials", "bad"],
  unreachable: ["Unreachable", "bad"],
  unverified: ["Not tested yet", "still"],
  disturbed: ["Token used elsewhere", "held"], // it works, between times
};

export const destinationStates = {
  untested: ["Not tested yet", "still"],
  ok: ["Works", "good"],
  broken: ["Refused", "bad"],
};

// Where a connection leads: the server as people name it, and the site.
export const host = (address) => address.replace(/^https?:\/\//, "").replace(/\/$/, "");
export const siteName = (site) => (site ? `site ${site}` : "the default site");

export const open = (run) => ["queued", "running", "held"].includes(run.state);
