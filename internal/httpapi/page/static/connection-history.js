// Who changed what, and when; and what became of the runs that were held.
import { get } from "/api.js";
import { Button, Failure, Icon, Loading, Section, State, When, html, useEffect, useLoad, useState } from "/ui.js";
import { useMore } from "/some.js";
import { runStates } from "/words.js";

const icons = {
  created: "plus", edited: "edit", credential_changed: "key", tested: "search", broke: "alert", mended: "check",
  runs_released: "play", kept_alive: "clock", warned: "mail", deleted: "trash",
};
// Fields as the page calls them. That a secret was replaced, the summary says.
const fields = {
  name: "Name", server_url: "Server", site: "Site", notify: "Alerts go to", token_expires_on: "Token ends",
  "auth.method": "Signs in with", "auth.token_name": "Token", "auth.username": "Username", identity: "Signs in as", "identity.user_name": "Signs in as",
};
const values = { username_password: "username and password", personal_access_token: "personal access token" };
const secrets = ["auth.token_secret", "auth.password", "token_secret", "password"];

const tones = { broke: "bad", mended: "good", runs_released: "good", warned: "held" };

export function History({ connection: c, changes }) {
  const path = `/v1/connections/${c.id}/history?limit=15`;
  const { data, problem, reload } = useLoad(() => get(path), [path, changes, c.state, c.version], { every: 8000 });
  const [older, setOlder] = useState({ events: [], cursor: undefined });
  useEffect(() => setOlder({ events: [], cursor: undefined }), [path]);
  const [failure, setFailure] = useState(null);
  const seen = new Set();
  const events = [...(data?.events || []), ...older.events].filter((e) => !seen.has(e.id) && seen.add(e.id));
  const [list, asked] = useMore(events.length);
  const cursor = older.cursor === undefined ? data?.next_cursor : older.cursor;
  const more = async () => {
    asked();
    try {
      const read = await get(`${path}&cursor=${encodeURIComponent(cursor)}`);
      setOlder({ events: [...older.events, ...read.events], cursor: read.next_cursor });
      setFailure(null);
    } catch (failed) {
      setFailure(failed);
    }
  };
  return html`<${Section} title="History">
    <${Failure} problem=${problem || failure} retry=${problem && reload} />
    ${!data && !problem && html`<${Loading} lines=${2} />`}
    ${data && events.length === 0 && html`<p class="quiet">Nothing has happened to it yet.</p>`}
    ${events.length > 0 && html`<ol class="history" ref=${list}>${events.map((e) => html`<${Event} key=${e.id} event=${e} />`)}</ol>`}
    ${cursor && html`<p><${Button} small onClick=${more}>Show older<//></p>`}
  <//>`;
}

function Event({ event: e }) {
  const changes = (e.changes || []).filter((change) => !secrets.includes(change.field) && (change.to || change.from));
  return html`<li>
    <span class=${`history-icon ${tones[e.action] || ""}`}><${Icon} name=${icons[e.action] || "info"} size=${14} /></span>
    <div class="grow">
      <p>${e.summary}</p>
      ${changes.length > 0 && html`<ul class="history-changes">${changes.map((change) => html`<li key=${change.field}>
        <span class="quiet">${fields[change.field] || change.field}:</span> ${values[change.to] || change.to || "none"}${change.from && html` <span class="quiet">(was ${values[change.from] || change.from})</span>`}</li>`)}</ul>`}
      ${e.runs?.length > 0 && html`<ul class="history-runs">${e.runs.map((r) => html`<li key=${r.id}>
        <${State} states=${runStates} state=${r.state} /> <a href=${`#/runs/${r.id}`}>${r.report_name}</a>
        <span class="quiet small">for <${When} at=${r.scheduled_for} />${r.stands_for > 1 && `, stands for ${r.stands_for} occurrences`}</span></li>`)}</ul>`}
      <p class="quiet small"><${When} at=${e.at} />${e.by && html` <span aria-hidden="true">·</span> ${e.by.type === "person" ? e.by.name : "vizpost"}`}</p>
    </div>
  </li>`;
}
