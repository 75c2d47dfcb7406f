// Settings: the connections to Tableau, the named Slack destinations, and what
// this installation is.
import { all } from "/api.js";
import { ConnectionDialog } from "/connection-dialog.js";
import { Broken, ConnectionState, TokenLife, usesToken } from "/connection-parts.js";
import { Destinations } from "/destinations.js";
import { useMe } from "/me.js";
import { SlackRole } from "/slack-role.js";
import { useSome } from "/some.js";
import { TestDialog } from "/connection-test.js";
import { Button, Empty, Facts, Failure, Icon, Loading, Page, Section, When, date, html, refocus, useLoad, useState } from "/ui.js";
import { host, many } from "/words.js";

const few = 10; // connections that are shown at first

export function Settings() {
  const { me, can, lacks } = useMe();
  const { data, problem, reload } = useLoad(() => all("/v1/connections", "connections"), [], { every: 10_000 });
  const [editing, setEditing] = useState(null); // an id, or "new"
  const [testing, setTesting] = useState(null);
  const closed = (changed) => {
    setEditing(null);
    if (changed) reload().then(refocus);
  };
  return html`<${Page} title="Settings">
    <${SlackRole} me=${me} />
    <${Section} title="Tableau connections" lead="Each signs in to one site. Reports use it; its token can be changed at any time without touching them."
      actions=${data?.length > 0 && can("admin") && html`<${Button} kind="primary" icon="plus" onClick=${() => setEditing("new")}>Add connection<//>`}>
      <${Failure} problem=${problem} retry=${reload} />
      ${!data && !problem && html`<${Loading} lines=${2} />`}
      ${data?.length === 0 && html`<${Empty} icon="key" title="Connect vizpost to Tableau"
        actions=${can("admin") && html`<${Button} kind="primary" onClick=${() => setEditing("new")}>Connect<//>`}>
        ${lacks("admin") ? "There is no connection yet. An administrator has to make it."
          : "Make a personal access token in Tableau and enter it here. vizpost tries it at once and says whether it works."}<//>`}
      ${data?.length > 0 && html`<${Connections} connections=${data} can=${can} edit=${setEditing} test=${setTesting} />`}
    <//>
    <${Destinations} can=${can} />
    ${me && html`<${Installation} me=${me} />`}
    ${editing && (editing === "new" || data) && html`<${ConnectionDialog} key=${editing} connection=${data?.find((c) => c.id === editing)} close=${closed} />`}
    ${testing && html`<${TestDialog} connection=${testing} edit=${can("admin") && (() => { setTesting(null); setEditing(testing.id); })} close=${() => { setTesting(null); reload(); }} />`}
  <//>`;
}

// Connections are listed with those first that need somebody.
function Connections({ connections, can, edit, test }) {
  const [search, setSearch] = useState("");
  const words = search.trim().toLowerCase();
  const found = connections.filter((c) => [c.name, c.server_url, c.site, c.identity.user_name, c.auth.token_name].some((text) => text?.toLowerCase().includes(words)))
    .toSorted((a, b) => Boolean(b.problem) - Boolean(a.problem));
  const [some, more] = useSome(found, few, "connections");
  return html`
    ${connections.length > few && html`<div class="search-box list-search"><${Icon} name="search" />
      <input type="search" aria-label="Search connections" placeholder="Search by name, site, user or token" value=${search} onInput=${(event) => setSearch(event.target.value)} /></div>
      <p class="visually-hidden" role="status">${words ? many(found.length, "connection matches", "connections match") : ""}</p>`}
    ${found.length === 0 && html`<p class="no-views quiet">No connection matches “${search.trim()}”.</p>`}
    <ul class="connections">${some.map((c) => html`<${Connection} key=${c.id} connection=${c} can=${can} edit=${() => edit(c.id)} test=${() => test(c)} />`)}</ul>
    ${more}`;
}

function Connection({ connection: c, can, edit, test }) {
  const token = usesToken(c);
  return html`<li class="card connection">
    <div class="connection-head">
      <div class="grow">
        <h3><a href=${`#/settings/connections/${c.id}`}>${c.name}</a> <${ConnectionState} connection=${c} /></h3>
        <p class="quiet small">${host(c.server_url)}${c.site && html` <span aria-hidden="true">·</span> site ${c.site}`}</p>
      </div>
      ${can("admin") && html`<div class="actions">
        <${Button} small onClick=${test} aria-label=${`Test ${c.name}`}>Test<//>
        <${Button} small onClick=${edit} aria-label=${`Edit ${c.name}`}>Edit<//>
      </div>`}
    </div>
    <${Broken} connection=${c} edit=${can("admin") && edit} />
    <dl class="connection-facts">
      <div><dt>Signs in as</dt><dd>${c.identity.user_name || "not known yet"}<span class="quiet small">${token ? `with the token ${c.auth.token_name}` : "with a password"}</span></dd></div>
      <div><dt>Token</dt><dd>${token ? html`<${TokenLife} connection=${c} />` : "none"}</dd></div>
      <div><dt>Last sign-in</dt><dd>${c.token_life.last_used_at ? html`<${When} at=${c.token_life.last_used_at} />` : "never"}${token && c.token_life.idle_until && c.state === "connected" && html`<span class="quiet small">token kept until ${date(c.token_life.idle_until)}</span>`}</dd></div>
      <div><dt>Used by</dt><dd>${many(c.report_count, "report")}${c.held_runs > 0 && html`<span class="held-runs small"><${Icon} name="pause" size=${14} />${many(c.held_runs, "run")} held</span>`}</dd></div>
    </dl>
  </li>`;
}

const mail = {
  outbox: "Only written to the outbox folder: no mail server is configured",
  smtp: "Sent by the mail server that is configured",
  ses: "Sent by Amazon SES",
};

function Installation({ me: { name, role, installation: i } }) {
  return html`<${Section} title="This installation"><div class="card"><${Facts} of=${[
    ["Signed in", `${name}, ${role}`],
    ["Runs", i.mode === "aws" ? "in your AWS account" : "on one machine"],
    ["Mail", html`${mail[i.mail] || i.mail}${i.mail === "outbox" && html`. <a href="#/outbox">See the outbox</a>`}`],
    ["Time zone", i.time_zone],
    ...(i.slack_role ? [["Slack", i.slack_role === "none" ? "Members of the workspace need a group" : `Members of the workspace in no group are ${i.slack_role}s`]] : []),
    ["Version", i.version],
  ]} /></div><//>`;
}
