// What keeps all of vizpost from its work, above every view.
import { get } from "/api.js";
import { Notice, html, useLoad } from "/ui.js";
import { moment } from "/words.js";

export function Troubles() {
  const { data } = useLoad(() => get("/v1/health"), [], { every: 20_000 });
  if (!data?.troubles.length) return null;
  return html`<div class="page installation" role="alert">${data.troubles.map((t) => html`
    <${Notice} tone="bad" key=${t.code} title=${t.message}><p>${t.to_do} <span class="quiet">Since ${moment(t.since)}.</span></p><//>`)}</div>`;
}

// AlertsTo says who is told when something goes wrong.
export function AlertsTo({ alerts, none }) {
  if (!alerts) return null;
  const whose = { connection: "of the connection", administrators: "administrators" }[alerts.from];
  return html`${alerts.from === "nobody" ? html`<span class="bad-text">nobody</span> ${none}`
      : alerts.to.length > 0 ? `${alerts.to.join(", ")}${whose ? ` (${whose})` : ""}` : "the administrators"}
    ${alerts.unreachable.length > 0 && html`<p class="bad-text small">No mail can be sent to ${alerts.unreachable.join(", ")}: correct it.</p>`}`;
}
