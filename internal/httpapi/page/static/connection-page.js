import { get } from "/api.js";
import { Failure, Page, html, useLoad } from "/ui.js";

export function ConnectionPage({ id }) {
  const { data, problem, reload } = useLoad(() => get(`/v1/connections/${id}`), [id], { every: 10_000 });
  return html`<${Page} title=${data?.name} back=${{ href: "#/settings", label: "Settings" }}><${Failure} problem=${problem} retry=${reload} /><//>`;
}
