import { get } from "/api.js";
import { Failure, Page, html, useLoad } from "/ui.js";
import { Mails } from "/outbox.js";

export function Start() {
  const { data, problem, reload } = useLoad(() => get("/v1/outbox?limit=10"), [], { every: 10_000 });
  return html`<${Page} title="Start"><${Failure} problem=${problem} retry=${reload} />${data && html`<${Mails} mails=${data.mails} />`}<//>`;
}
