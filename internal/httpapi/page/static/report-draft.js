// A report as the form edits it, and as the API takes it.

import { fromCron, newPlan, toCron } from "/cron.js";

let made = 0;
// key names a part of a draft for as long as the page is open.
const key = () => `k${++made}`;

export const formats = {
  png: ["Image", "PNG"],
  pdf: ["PDF", "PDF"],
  csv: ["Data", "CSV"],
  xlsx: ["Crosstab", "Excel"],
  svg: ["Drawing", "SVG"],
  pptx: ["Slides", "PowerPoint"],
};

export const pageSizes = ["a3", "a4", "a5", "b4", "b5", "executive", "folio", "ledger", "legal", "letter", "note", "quarto", "tabloid", "unspecified"];

export const browserZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function newReport(connectionId) {
  return {
    name: "", connection_id: connectionId, content: [], notify: [],
    schedule: { on: true, plan: newPlan(), time_zone: browserZone(), starts_on: "", ends_on: "", catch_up: "latest" },
    destinations: [newEmail()],
  };
}

export const newEmail = () => ({ key: key(), type: "email", to: [], cc: [], bcc: [], together: false, subject: "", body: "" });
export const newSlack = (id = "") => ({ key: key(), type: "slack", destination_id: id, text: "" });

// newContent is the export of what was picked: a view, a custom view of it, or a
// workbook; with what its pasted address carried.
export function newContent({ view, custom_view, workbook, filters = {}, format = "" }) {
  return {
    key: key(), original: {}, ...place({ view, custom_view, workbook }),
    format: format || "pdf", filters: rowsOf(filters), verify_filters: true, check_view: "", page_size: "", orientation: "landscape", high_resolution: true,
    width: "", height: "", max_age_minutes: "", language: "", file_name: "",
    if_empty: "skip", escape_formulas: false, allow_blank: false,
  };
}

// place is what names a content: view as the API takes it, and what people see.
function place({ view, custom_view = null, workbook }) {
  if (workbook) {
    return { view: `workbooks/${encodeURIComponent(workbook.content_url)}.twbx`, scope: "workbook", view_id: "", view_name: "", workbook: workbook.name, custom_view: null };
  }
  return { view: custom_view ? `${view.content_url}/${custom_view.id}` : view.content_url, scope: "view",
    view_id: view.id, view_name: view.name, workbook: view.workbook, custom_view };
}

// replaced points a content to something else; its options stay.
export function replaced(c, picked) {
  return { ...c, original: {}, ...place(picked), format: picked.format || (picked.workbook && c.format !== "pptx" ? "pdf" : c.format),
    filters: Object.keys(picked.filters || {}).length > 0 ? rowsOf(picked.filters) : c.filters };
}

// nameOf names what is exported.
export const nameOf = (c) => c.view_name ? c.view_name + (c.custom_view ? ` (${c.custom_view.name})` : "") : c.workbook || c.view;

// tellsRows says whether it is known of a content whether it has data: by its file,
// or by the check of its filters.
export const tellsRows = (format, filtered) => format === "csv" || format === "xlsx" || (filtered && format !== "pptx");

// emptyWords says what becomes of a content without data.
export const emptyWords = { skip: "Leave it out", send: "Send it anyway", fail: "Fail the run" };

// A parameter is a filter whose field begins with this.
const parameter = "Parameters.";

const rowsOf = (filters) => Object.entries(filters).map(([field, values]) => field.startsWith(parameter)
  ? { key: key(), kind: "parameter", field: field.slice(parameter.length), values }
  : { key: key(), kind: "field", field, values });

export const newFilter = (kind) => ({ key: key(), kind, field: "", values: [] });

// fromReport gives the draft of a report that was read.
export function fromReport(report) {
  const s = report.schedule;
  return {
    name: report.name, connection_id: report.connection_id, notify: report.notify,
    content: report.content.map((c) => ({
      key: key(), original: c, view: c.view, view_id: c.view_id, view_name: c.view_name, workbook: c.workbook,
      scope: c.scope || "view", custom_view: c.custom_view || null, verify_filters: c.verify_filters !== false, check_view: c.check_view || "",
      format: c.format, filters: rowsOf(c.filters), page_size: c.pdf?.page_size || "", orientation: c.pdf?.orientation || "portrait",
      high_resolution: Boolean(c.image?.high_resolution), language: c.language || "", width: c.image?.width || "", height: c.image?.height || "",
      max_age_minutes: c.max_age_minutes === 1 ? "" : c.max_age_minutes, file_name: c.file_name,
      if_empty: c.if_empty || "send", escape_formulas: Boolean(c.escape_formulas), allow_blank: Boolean(c.allow_blank),
    })),
    schedule: s
      ? { on: true, plan: fromCron(s.cron), time_zone: s.time_zone, starts_on: s.starts_on || "", ends_on: s.ends_on || "", catch_up: s.catch_up }
      : { ...newReport("").schedule, on: false },
    destinations: report.destinations.map((d) => ({ ...(d.type === "slack" ? newSlack() : newEmail()), ...d })),
  };
}

// revived gives a draft that was kept over a sign-in, whose parts need names of
// this page's.
export const revived = (draft) => ({ ...draft,
  content: draft.content.map((c) => ({ ...c, key: key(), filters: c.filters.map((f) => ({ ...f, key: key() })) })),
  destinations: draft.destinations.map((d) => ({ ...d, key: key() })),
});

// toRequest gives what the API takes of a draft.
export const toRequest = (draft) => ({
  name: draft.name.trim(), connection_id: draft.connection_id, content: draft.content.map(contentOut),
  schedule: scheduleOut(draft.schedule), destinations: draft.destinations.map(destinationOut), notify: draft.notify,
});

function contentOut(c) {
  // What this form does not know stays as it was read.
  const { pdf, image, scope, language, escape_formulas, allow_blank, verify_filters, check_view, ...rest } = c.original;
  const out = { ...rest, view: c.view, format: c.format, filters: filtersOut(c.filters), file_name: c.file_name.trim(), if_empty: c.if_empty };
  if (c.format === "pdf") {
    out.pdf = { orientation: c.orientation };
    if (c.page_size) out.pdf.page_size = c.page_size;
  }
  const size = {};
  if (c.width !== "") size.width = whole(c.width);
  if (c.height !== "") size.height = whole(c.height);
  if (c.format === "png" && (c.high_resolution || c.width !== "" || c.height !== "")) {
    out.image = { ...size };
    if (c.high_resolution) out.image.high_resolution = true;
  }
  if ((c.format === "svg" || (c.format === "pdf" && c.scope === "view")) && Object.keys(size).length > 0) out.image = size;
  if (c.max_age_minutes === "") delete out.max_age_minutes;
  else out.max_age_minutes = whole(c.max_age_minutes);
  if (c.format === "pptx" || (c.format === "pdf" && c.scope === "workbook")) out.scope = "workbook";
  if (c.format === "csv" && c.escape_formulas) out.escape_formulas = true;
  if (!tellsRows(c.format) && c.allow_blank) out.allow_blank = true;
  if (c.language.trim()) out.language = c.language.trim();
  out.verify_filters = c.verify_filters;
  if (c.check_view.trim()) out.check_view = c.check_view.trim();
  return out;
}

const whole = (text) => Number.isInteger(Number(text)) ? Number(text) : text;

function filtersOut(rows) {
  const out = {};
  for (const row of rows) {
    const field = row.field.trim();
    if (!field && row.values.length === 0) continue;
    const name = row.kind === "parameter" ? parameter + field : field;
    out[name] = [...(out[name] || []), ...row.values];
  }
  return out;
}

function scheduleOut(s) {
  if (!s.on) return null;
  return { cron: toCron(s.plan), time_zone: s.time_zone.trim(), starts_on: s.starts_on || null, ends_on: s.ends_on || null, catch_up: s.catch_up };
}

function destinationOut(d) {
  const out = d.id ? { id: d.id, type: d.type } : { type: d.type };
  if (d.type === "slack") return { ...out, destination_id: d.destination_id, ...(d.text.trim() ? { text: d.text } : {}) };
  out.to = d.to;
  if (d.together) {
    out.together = true;
    if (d.cc.length > 0) out.cc = d.cc;
    if (d.bcc.length > 0) out.bcc = d.bcc;
  }
  if (d.subject.trim()) out.subject = d.subject.trim();
  if (d.body.trim()) out.body = d.body;
  return out;
}

// changed gives the parts of a request that differ from what was read.
export function changed(before, after) {
  const out = {};
  for (const [name, value] of Object.entries(after)) {
    if (JSON.stringify(value) !== JSON.stringify(before[name])) out[name] = value;
  }
  return out;
}
