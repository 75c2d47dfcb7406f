// Asks before a form that is not saved is left.
import { useGuard } from "/guard.js";
import { Button, Dialog, html, useState } from "/ui.js";

export function LeaveGuard({ when }) {
  const [to, setTo] = useState("");
  const go = useGuard(when, setTo);
  return to && html`<${Dialog} title="Leave without saving?" close=${() => setTo("")}
    footer=${(stay) => html`<${Button} data-first onClick=${stay}>Keep editing<//><${Button} kind="danger" onClick=${() => go(to)}>Leave<//>`}>
    <p>What you changed in this report is not saved yet.</p>
  <//>`;
}
