// Testing a connection that there is: can it sign in, and can its user see what
// its reports export?
import { post } from "/api.js";
import { CheckedReports, newToken } from "/connection-parts.js";
import { Trouble, happened } from "/connection-outcome.js";
import { Button, Dialog, Icon, announce, html, useEffect, useState } from "/ui.js";
import { host, siteName } from "/words.js";

// TestDialog tests at once. edit, for those who may, opens the connection's own
// dialog in its place.
export function TestDialog({ connection: c, edit, close }) {
  const [turn, setTurn] = useState(0);
  const [tested, setTested] = useState(null);
  const [problem, setProblem] = useState(null);
  const busy = !tested && !problem;
  const mend = problem && edit;
  useEffect(() => {
    const abort = new AbortController();
    setTested(null);
    setProblem(null);
    announce(`Testing ${c.name}…`);
    post(`/v1/connections/${c.id}/test`, {}, { signal: abort.signal }).then((answer) => {
      setTested(answer);
      announce(`${c.name} works: it signs in as ${answer.identity.user_name}.`);
    }, (failed) => {
      if (abort.signal.aborted) return;
      setProblem(failed);
      announce([happened(failed), failed.causes[0]?.message].filter(Boolean).join(" "));
    });
    return () => abort.abort();
  }, [turn]);
  return html`<${Dialog} title=${`Test of ${c.name}`} lead=${host(c.server_url)} close=${close}
    footer=${html`${problem && html`<${Button} onClick=${() => setTurn(turn + 1)}>Test again<//>`}
      <${Button} kind=${mend ? "" : "primary"} onClick=${close}>${tested ? "Done" : "Close"}<//>
      ${mend && html`<${Button} kind="primary" onClick=${edit}>Edit the connection<//>`}`}>
    ${busy && html`<p class="quiet looking"><span class="spinner" aria-hidden="true"></span> Signing in and looking at the views of its reports…</p>`}
    <${Trouble} problem=${problem} make=${mend ? newToken.there : newToken.others} />
    ${tested && html`<div class="connected">
      <span class="connected-icon"><${Icon} name="check" size=${24} /></span>
      <div><h3>${`It signs in as ${tested.identity.user_name}`}</h3><p class="quiet">${`to ${siteName(c.site)}, Tableau ${tested.server.product_version}.`}</p></div>
    </div>
    ${tested.reports.length > 0 ? html`<${CheckedReports} reports=${tested.reports} />` : html`<p class="quiet small">No report uses this connection yet.</p>`}`}
  <//>`;
}
