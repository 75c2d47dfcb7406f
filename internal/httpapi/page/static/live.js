// What is said without moving the focus: to screen readers by a live region, to
// eyes by a toast.
import { useEffect, useState } from "/vendor/hooks.mjs";
import { h } from "/vendor/preact.mjs";
import { Icon } from "/icons.js";

const heard = "vizpost:said";
const seconds = 6;

// announce says a sentence to screen readers.
export const announce = (text) => dispatchEvent(new CustomEvent(heard, { detail: { text } }));

// toast shows a sentence for some seconds, and announces it.
export const toast = (text, tone = "good") => dispatchEvent(new CustomEvent(heard, { detail: { text, tone } }));

// Live is where both appear; the shell has one. A dialog that is open covers
// the page for screen readers, so each dialog has one of its own, which speaks
// as long as it is there.
export function Live({ quiet = false }) {
  const [said, setSaid] = useState("");
  const [toasts, setToasts] = useState([]);
  useEffect(() => {
    const hear = ({ detail }) => {
      // The same sentence twice is heard twice.
      setSaid((before) => (before === detail.text ? `${detail.text}\u00a0` : detail.text));
      if (!detail.tone || quiet) return;
      const one = { ...detail, id: Math.random() };
      setToasts((shown) => [...shown.slice(-2), one]);
      setTimeout(() => setToasts((shown) => shown.filter((t) => t !== one)), seconds * 1000);
    };
    addEventListener(heard, hear);
    return () => removeEventListener(heard, hear);
  }, [quiet]);
  return [
    h("div", { class: "visually-hidden", role: "status", "aria-live": "polite", key: "said" }, said),
    !quiet && h("div", { class: "toasts", "aria-hidden": "true", key: "toasts" }, toasts.map((t) => h("p", { class: `toast ${t.tone}`, key: t.id },
      h(Icon, { name: t.tone === "bad" ? "alert" : "check" }), h("span", null, t.text)))),
  ];
}
