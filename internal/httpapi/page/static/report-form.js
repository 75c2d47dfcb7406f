// The form of a report: a new one, or one that is edited.
import { all, get, newKey, patch, post } from "/api.js";
import { Ailing } from "/connection-parts.js";
import { ContentEditor } from "/report-content.js";
import { DestinationsEditor, keptDestinations } from "/report-destinations.js";
import { takeDraft, useDraft } from "/drafts.js";
import { changed, fromReport, newReport, revived, toRequest } from "/report-draft.js";
import { Chips, Choice, Text, WrongFields, nothingWrong, placed } from "/report-fields.js";
import { ScheduleEditor, missing } from "/schedule.js";
import { noteSaved } from "/saved-warnings.js";
import { LeaveGuard } from "/leave-guard.js";
import { useMe } from "/me.js";
import { Button, Empty, Failure, Loading, Notice, Page, announce, html, toast, useEffect, useLoad, useRef, useState } from "/ui.js";

export function ReportForm({ id, query = {} }) {
  const { me, can, lacks } = useMe();
  const read = useLoad(async () => {
    const [connections, destinations, report] = await Promise.all([all("/v1/connections", "connections"), keptDestinations(), id ? get(`/v1/reports/${id}`) : null]);
    return { connections, destinations, report };
  }, [id]);
  const title = id ? `Edit ${read.data?.report.name || "the report"}` : "New report";
  const back = id ? { href: `#/reports/${id}`, label: read.data?.report.name || "Report" } : { href: "#/reports", label: "Reports" };
  return html`<${Page} title=${title} back=${back}>
    ${!read.data && html`<${Failure} problem=${read.problem} retry=${read.reload} />`}
    ${!read.data && !read.problem && html`<${Loading} />`}
    ${read.data && lacks("editor") ? html`<${Empty} icon="info" title="Only editors can ${id ? "change" : "make"} reports" actions=${html`<${Button} href=${back.href}>Go back<//>`}>
        You have the role ${me.role}. An administrator can give you the role editor.<//>`
      : read.data && (read.data.connections.length === 0
      ? html`<${Empty} icon="key" title="Connect to Tableau first" actions=${html`<${Button} kind="primary" href="#/settings">Go to Settings<//>`}>A report is exported through a connection, and there is none yet.<//>`
      : html`<${Form} key=${read.data.report?.version || "new"} id=${id} ...${read.data} can=${can} query=${query} reload=${read.reload} />`)}
  <//>`;
}

function Form({ id, report: read, connections, destinations, can, query, reload }) {
  // What was typed before a sign-in ended goes on from the report as it was
  // then, so that others' changes since are not undone unseen.
  const [resumed] = useState(() => takeDraft(`report ${id || "new"}`));
  const report = resumed?.report || read;
  const first = useRef(null);
  first.current ||= report ? fromReport(report) : newReport(connections.some((c) => c.id === query.connection) ? query.connection : connections.length === 1 ? connections[0].id : "");
  const [draft, setDraft] = useState(() => (resumed ? revived(resumed.draft) : first.current));
  const [wrong, setWrong] = useState(nothingWrong);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [kept, setKept] = useState(destinations);
  const [done, setDone] = useState("");
  const form = useRef(null);
  const key = useRef({});

  const before = JSON.stringify(toRequest(first.current));
  const request = toRequest(draft);
  const dirty = JSON.stringify(request) !== before;
  useDraft(`report ${id || "new"}`, dirty && !done ? { report, draft } : null);
  // What is changed is no longer said to be wrong, until it is saved again.
  const mend = (is) => setWrong((w) => (Object.keys(w.shown).some(is)
    ? { ...w, shown: Object.fromEntries(Object.entries(w.shown).filter(([path]) => !is(path))) } : w));
  const set = (more) => {
    setDraft((d) => ({ ...d, ...more }));
    mend((path) => path in more || ("schedule" in more && path.startsWith("schedule.")) || Object.entries(more).some(([name, list]) => path.startsWith(`${name}[`) && moved(draft[name], list, path)));
  };
  const typed = ({ target }) => target.dataset.field && mend((path) => path === target.dataset.field);
  const connection = connections.find((c) => c.id === draft.connection_id);

  const refuse = (fields, failure = null) => {
    if (!form.current) return; // the sign-in ended, and the form is gone
    const found = placed(fields, form.current);
    setWrong(found);
    setProblem(failure && (found.rest.length > 0 || fields.length === 0) ? failure : null);
    if (fields.length > 0) announce(fields.length === 1 ? fields[0].message : `${fields.length} fields need a change. The first: ${fields[0].message}`);
    requestAnimationFrame(() => {
      if (!form.current) return;
      for (const e of form.current.querySelectorAll("[aria-invalid=true]")) {
        const hidden = e.closest("details");
        if (hidden) hidden.open = true;
      }
      const target = form.current.querySelector("[aria-invalid=true]") || form.current.querySelector(".form-problem");
      target?.focus({ preventScroll: true });
      target?.scrollIntoView({ block: "center" });
    });
  };

  const save = async (event, overwrite = false) => {
    if (event && event.target !== form.current) return; // of a dialog's own form, within this one
    event?.preventDefault();
    if (busy) return;
    const lacking = missing(draft.schedule);
    setBusy(true);
    setProblem(null);
    setWrong(nothingWrong);
    try {
      // What the schedule lacks is told together with what the API says of the
      // rest, so it is asked even then: an empty expression is refused.
      let saved;
      if (id) {
        const body = changed(JSON.parse(before), request);
        saved = Object.keys(body).length === 0 ? report : await patch(`/v1/reports/${id}`, body, overwrite ? undefined : report.version);
      } else {
        const text = JSON.stringify(request);
        if (key.current.text !== text) key.current = { text, key: newKey() };
        saved = await post("/v1/reports", request, { key: key.current.key });
      }
      const warnings = [...new Set((saved.warnings || []).map((w) => w.message))];
      if (warnings.length > 0) noteSaved(saved.id, warnings);
      toast(id ? "Saved." : "Saved. Send it to yourself to see what others will get.");
      setDone(saved.id); // the guard lets go first
    } catch (failure) {
      if (failure.status === 422) {
        const fields = (failure.fields || []).filter((f) => !(lacking.length > 0 && f.field === "schedule.cron"));
        refuse([...fields, ...lacking], failure);
      } else {
        refuse([], failure);
      }
    }
    setBusy(false);
  };
  useEffect(() => {
    if (done) location.hash = `#/reports/${done}`;
  }, [done]);

  const stale = problem?.status === 412;
  return html`<${WrongFields} wrong=${wrong}>
    <${LeaveGuard} when=${dirty && !done} />
    <form class="report-form" ref=${form} onSubmit=${save} onInput=${typed} onChange=${typed} novalidate aria-label=${id ? "Edit the report" : "New report"}>
      ${resumed && html`<${Notice} tone="held" title="Your sign-in ended. What you typed is kept."><p>It is not saved yet.</p><//>`}
      <${Part} title="Report">
        <${Text} path="name" label="Name" value=${draft.name} change=${(name) => set({ name })} placeholder="Morning numbers" autocomplete="off" data-first />
        <${Choice} path="connection_id" label="Connection" value=${draft.connection_id} change=${(connection_id) => set({ connection_id })}
          options=${[...(draft.connection_id ? [] : [["", "Choose…"]]), ...connections.map((c) => [c.id, `${c.name}${c.site ? ` (${c.site})` : ""}`])]} />
        <${Ailing} connection=${connection} can=${can}>Views can be chosen, and reports are sent, once it works again.<//>
      <//>
      <${Part} title="What" lead="The views, and how each is sent.">
        <${ContentEditor} connection=${connection} value=${draft.content} change=${(content) => set({ content })} />
      <//>
      <${Part} title="When" lead="In the time zone of your choice, through changes of the clocks.">
        <${ScheduleEditor} value=${draft.schedule} change=${(schedule) => set({ schedule })} />
      <//>
      <${Part} title="To whom" lead="By email, and to Slack channels.">
        <${DestinationsEditor} value=${draft.destinations} kept=${kept} change=${(next) => set({ destinations: next })}
          add=${(made) => setKept((before) => [...before, made])} reload=${() => keptDestinations().then(setKept, setProblem)} />
      <//>
      <${Part} title="If it fails" lead="Who is told why when a run fails or does not reach everybody. If you leave this empty, the connection's alert recipients are told, or else the administrators.">
        <${Chips} path="notify" label="Send alerts to" optional type="email" values=${draft.notify} change=${(notify) => set({ notify })} placeholder="name@example.com" />
      <//>
      <footer class="save-bar">
        ${problem && html`<div class="form-problem" tabindex="-1"><${Failure} problem=${stale ? { message: "Somebody else changed this report since you opened it." } : problem} />
          ${stale && html`<div class="actions"><${Button} small onClick=${reload}>Take theirs<//><${Button} small kind="danger" onClick=${() => save(null, true)}>Save mine over it<//></div>`}</div>`}
        ${!problem && Object.keys(wrong.shown).length > 0 && html`<p class="error grow">${Object.keys(wrong.shown).length === 1 ? "One field needs a change." : `${Object.keys(wrong.shown).length} fields need a change.`}</p>`}
        <div class="actions"><${Button} href=${id ? `#/reports/${id}` : "#/reports"}>Cancel<//>
          <${Button} kind="primary" submit busy=${busy}>${id ? "Save" : "Save report"}<//></div>
      </footer>
    </form>
  <//>`;
}

// moved tells whether what is said of a part of a list no longer holds: another
// part stands in its place, or its filters were changed.
function moved(before, after, path) {
  const [, i, rest] = /\[(\d+)\]\.?(.*)/.exec(path);
  return before.length !== after.length || (rest === "filters" && before[i].filters !== after[i].filters);
}

function Part({ title, lead, children }) {
  return html`<section class="part" aria-label=${title}><div class="part-head"><h2>${title}</h2>${lead && html`<p class="quiet">${lead}</p>`}</div><div class="part-body stack">${children}</div></section>`;
}
