// Keeps what was typed from being lost by a link, by the browser's way back, or
// by closing the tab.
import { useLayoutEffect, useRef } from "/vendor/hooks.mjs";

// granted is the address that somebody said may be gone to: no other guard
// asks again, such as that of a dialog in a form.
let granted = null;

// useGuard stands in the way for as long as `when` holds. asked is called with
// the address that was wanted; the function that useGuard gives goes there
// after all.
export function useGuard(when, asked) {
  const now = useRef(null);
  now.current = asked;
  useLayoutEffect(() => {
    if (!when) return undefined;
    const here = location.hash;
    granted = null;
    const leaving = (event) => { // the shell asks before it moves
      if (event.defaultPrevented || [here, granted].includes(location.hash)) return;
      event.preventDefault();
      const to = location.hash || "#/";
      history.pushState(null, "", here);
      now.current(to);
    };
    const closing = (event) => event.preventDefault();
    addEventListener("vizpost:leaving", leaving);
    addEventListener("beforeunload", closing);
    return () => {
      removeEventListener("vizpost:leaving", leaving);
      removeEventListener("beforeunload", closing);
    };
  }, [when]);
  return (to) => {
    granted = to;
    location.hash = to;
  };
}
