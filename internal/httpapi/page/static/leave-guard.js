// Asks before what was typed is lost: by a link, by the browser's way back, or
// by closing the tab.
import { Button, Dialog, html, useEffect, useRef, useState } from "/ui.js";

export function LeaveGuard({ when }) {
  const [to, setTo] = useState("");
  const free = useRef(false);
  useEffect(() => {
    if (!when) return undefined;
    const here = location.hash;
    const leaving = (event) => { // the shell asks before it moves
      if (free.current || location.hash === here) return;
      event.preventDefault();
      setTo(location.hash || "#/");
      history.pushState(null, "", here);
    };
    const closing = (event) => event.preventDefault();
    addEventListener("vizpost:leaving", leaving);
    addEventListener("beforeunload", closing);
    return () => {
      removeEventListener("vizpost:leaving", leaving);
      removeEventListener("beforeunload", closing);
    };
  }, [when]);
  const leave = () => {
    free.current = true;
    location.hash = to;
  };
  return to && html`<${Dialog} title="Leave without saving?" close=${() => setTo("")}
    footer=${(stay) => html`<${Button} data-first onClick=${stay}>Keep editing<//><${Button} kind="danger" onClick=${leave}>Leave<//>`}>
    <p>What you changed in this report is not saved yet.</p>
  <//>`;
}
