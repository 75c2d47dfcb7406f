import { get } from "/api.js";
import { Failure, Page, State, html, useLoad } from "/ui.js";
import { connectionStates } from "/words.js";

export function Settings() {
  const { data, problem, reload } = useLoad(() => get("/v1/connections?limit=100"), [], { every: 10_000 });
  return html`<${Page} title="Settings"><${Failure} problem=${problem} retry=${reload} />
    <ul class="list">${data?.connections.map((c) => html`<li class="list-row" key=${c.id}><a class="grow strong" href=${`#/settings/connections/${c.id}`}>${c.name}</a>
      <${State} states=${connectionStates} state=${c.state} /></li>`)}</ul><//>`;
}
