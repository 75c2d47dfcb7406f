// Settings: the connections to Tableau, the named Slack destinations, and what
// this installation is.
import { all, get, post } from "/api.js";
import { ConnectionDialog } from "/connection-dialog.js";
import { Broken, TokenLife, usesToken } from "/connection-parts.js";
import { Destinations } from "/destinations.js";
import { useMe } from "/me.js";
import { TestDialog } from "/connection-test.js";
import { Button, Empty, Facts, Failure, Icon, Loading, Page, Section, State, When, date, html, useLoad, useState } from "/ui.js";
import { connectionStates, host, many } from "/words.js";

export function Settings({ query }) {
  const { me, can } = useMe();
  const connections = useLoad(() => all("/v1/connections", "connections"), [], { every: 10_000 });
  const [editing, setEditing] = useState(query.connect !== undefined ? "new" : null);
  const [testing, setTesting] = useState(null);
  const { data, problem, reload } = connections;
  const closed = (changed) => {
    setEditing(null);
    if (changed) reload();
  };
  return html`<${Page} title="Settings">
    <${Section} title="Tableau connections" lead="Each signs in to one site. Reports use it; its token can be changed at any time without touching them."
      actions=${data?.length > 0 && can("admin") && html`<${Button} kind="primary" icon="plus" onClick=${() => setEditing("new")}>Add connection<//>`}>
      <${Failure} problem=${problem} retry=${reload} />
      ${!data && !problem && html`<${Loading} lines=${2} />`}
      ${data?.length === 0 && html`<${Empty} icon="key" title="Connect vizpost to Tableau"
        actions=${can("admin") && html`<${Button} kind="primary" onClick=${() => setEditing("new")}>Connect<//>`}>
        Make a personal access token in Tableau and enter it here. vizpost tries it at once and says whether it works.
        ${me && !can("admin") && " An administrator has to do this."}<//>`}
      ${data?.length > 0 && html`<ul class="connections">${data.map((c) => html`<${Connection} key=${c.id} connection=${c} can=${can}
        edit=${() => setEditing(c.id)} test=${() => setTesting(c)} />`)}</ul>`}
    <//>
    <${Destinations} can=${can} />
    ${me && html`<${Installation} me=${me} />`}
    ${editing && (editing === "new" || data) && html`<${ConnectionDialog} key=${editing} connection=${data?.find((c) => c.id === editing)} close=${closed} />`}
    ${testing && html`<${TestDialog} connection=${testing} close=${() => { setTesting(null); reload(); }} />`}
  <//>`;
}

function Connection({ connection: c, can, edit, test }) {
  return html`<li class="card connection">
    <div class="connection-head">
      <div class="grow">
        <h3><a href=${`#/settings/connections/${c.id}`}>${c.name}</a> <${State} states=${connectionStates} state=${c.state} /></h3>
        <p class="quiet small">${host(c.server_url)}${c.site && html` <span aria-hidden="true">·</span> site ${c.site}`}</p>
      </div>
      ${can("admin") && html`<div class="actions">
        <${Button} small onClick=${test} aria-label=${`Test ${c.name}`}>Test<//>
        <${Button} small onClick=${edit} aria-label=${`Edit ${c.name}`}>Edit<//>
      </div>`}
    </div>
    ${c.problem && html`<${Broken} connection=${c} actions=${can("admin") && c.state === "needs_credentials"
      && html`<${Button} small kind="primary" onClick=${edit}>${usesToken(c) ? "Enter a new token" : "Enter credentials"}<//>`} />`}
    <dl class="connection-facts">
      <div><dt>Signs in as</dt><dd>${c.identity.user_name || "not known yet"}<span class="quiet small">${usesToken(c) ? `with the token ${c.auth.token_name}` : "with a password"}</span></dd></div>
      <div><dt>Token</dt><dd><${TokenLife} connection=${c} /></dd></div>
      <div><dt>Last sign-in</dt><dd>${c.token_life.last_used_at ? html`<${When} at=${c.token_life.last_used_at} />` : "never"}${usesToken(c) && c.token_life.idle_until && c.state === "connected" && html`<span class="quiet small">keeps the token until ${date(c.token_life.idle_until)}</span>`}</dd></div>
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
    ["Version", i.version],
  ]} /></div><//>`;
}
