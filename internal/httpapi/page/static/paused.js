// What is said of the installation as a whole: that it was restored from a backup
// and waits to be resumed, and, once, for how long it keeps what is finished.
import { post } from "/api.js";
import { useMe } from "/me.js";
import { Button, Notice, announce, date, html, useState } from "/ui.js";

export function Paused() {
  const { me, can } = useMe();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(null);
  const paused = me?.installation.paused;
  if (!paused) return null;
  const resume = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await post("/v1/resume");
      location.reload();
      return;
    } catch (failed) {
      setProblem(failed);
      announce(failed.message);
    }
    setBusy(false);
  };
  return html`<div class="page installation" role="region" aria-label="vizpost is paused"><${Notice} tone="held" title=${`Paused: restored from a backup of ${date(paused.backup_at)}`}
      actions=${can("admin") && html`<${Button} small kind="primary" busy=${busy} onClick=${resume}>Resume<//>`}>
    <p>Nothing is scheduled, sent or signed in until an administrator resumes vizpost.</p>
    <p>Before you do, stop every other copy of this installation: two copies both send, and end each other’s Tableau sessions.
      What was waiting at the backup and what was due since is then sent, marked as a possible repeat.</p>
    ${problem && html`<p class="bad-text" role="alert">${problem.message}</p>`}
  <//></div>`;
}

const told = "vizpost:retention-told";

// Keeps says once, in the week after an upgrade, that old runs are deleted now.
export function Keeps() {
  const { me } = useMe();
  const [known, setKnown] = useState(localStorage.getItem(told) !== null);
  const keeps = me?.installation.retention;
  if (known || !keeps?.upgraded || Date.now() >= new Date(keeps.from)) return null;
  const close = () => {
    localStorage.setItem(told, keeps.from);
    setKnown(true);
  };
  return html`<div class="page installation" role="region" aria-label="How long vizpost keeps what is finished"><${Notice} tone="busy" title=${`Runs older than ${keeps.days} days are deleted from ${date(keeps.from)} on`}
      actions=${html`<${Button} small onClick=${close}>Got it<//>`}>
    <p>Their files and the mails in the outbox go with them. Open runs stay. To keep them longer, set <code>VIZPOST_RETENTION_DAYS</code> and restart vizpost; 0 keeps everything.</p>
  <//></div>`;
}
