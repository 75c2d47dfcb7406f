// Says to administrators what members of the Slack workspace may do by a default
// that is no longer one.
import { Button, Notice, html, useState } from "/ui.js";

const kept = "vizpost.slack-role-kept";

// SlackRole shows until somebody chose another role, or means this one.
export function SlackRole({ me }) {
  const [meant, setMeant] = useState(() => localStorage.getItem(kept) !== null);
  if (meant || me?.role !== "admin" || me.installation.slack_role !== "viewer") return null;
  const keep = () => {
    localStorage.setItem(kept, "viewer");
    setMeant(true);
  };
  return html`<${Notice} tone="held" title="Everybody in your Slack workspace can read all reports" actions=${html`<${Button} small onClick=${keep}>Keep it so<//>`}>
    <p>Members and guests who are in no group are viewers: so far that was the default of the parameter SlackRole, and your stack has kept it.
      To let in only those whom you put into a group, deploy with SlackRole set to none.</p><//>`;
}
