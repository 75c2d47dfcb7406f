// Keeps what was typed from being lost by a link, by the browser's way back, or
// by closing the tab.
import { useLayoutEffect, useRef } from "/vendor/hooks.mjs";

// useGuard stands in the way for as long as `when` holds. asked is called with
// the address that was wanted; the function that useGuard gives goes there
// after all.
export function useGuard(when, asked) {
  const now = useRef({ free: false });
  now.current.asked = asked;
  useLayoutEffect(() => {
    if (!when) return undefined;
    const here = location.hash;
    const leaving = (event) => { // the shell asks before it moves
      if (now.current.free || event.defaultPrevented || location.hash === here) return;
      event.preventDefault();
      const to = location.hash || "#/";
      history.pushState(null, "", here);
      now.current.asked(to);
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
    now.current.free = true;
    location.hash = to;
  };
}
