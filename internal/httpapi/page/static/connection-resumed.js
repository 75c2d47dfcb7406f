// The dialog of a connection that was open when a sign-in ended, open again with
// what was typed in it.
import { get } from "/api.js";
import { ConnectionDialog } from "/connection-dialog.js";
import { takeDraft } from "/drafts.js";
import { html, toast, useEffect, useState } from "/ui.js";

export function ResumedConnection() {
  const [typed] = useState(() => takeDraft("connection"));
  const [connection, setConnection] = useState(undefined);
  const [open, setOpen] = useState(Boolean(typed));
  useEffect(() => {
    if (!typed?.id) return;
    get(`/v1/connections/${typed.id}`).then(setConnection, (failure) => {
      setOpen(false);
      toast(`What you typed cannot be taken up again. ${failure.message}`);
    });
  }, []);
  return open && (!typed.id || connection) && html`<${ConnectionDialog} connection=${connection} typed=${typed} close=${() => setOpen(false)} />`;
}
