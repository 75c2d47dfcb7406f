// The first of a long list, until all of it is asked for.
import { Button, html, useEffect, useRef, useState } from "/ui.js";

// useSome gives the part of a list that is shown, and the button that shows the
// rest where there is one; it stands right after the list. noun is what the
// list holds, such as "connections".
export function useSome(list, few, noun) {
  const [whole, setWhole] = useState(false);
  if (whole || list.length <= few + 2) return [list, null];
  const show = (event) => {
    const shown = event.currentTarget.closest(".more").previousElementSibling;
    setWhole(true);
    focusItem(shown, few);
  };
  return [list.slice(0, few), html`<div class="more"><${Button} onClick=${show}>Show all ${list.length} ${noun}<//></div>`];
}

// useMore is for a list of n items whose further ones are read when they are
// asked for: it gives the ref of the list, and what to call when they are. Then
// the first of them gets the focus, if the button that had it is gone.
export function useMore(n) {
  const list = useRef(null);
  const from = useRef(null);
  useEffect(() => {
    if (from.current === null || n <= from.current) return;
    if (document.activeElement === document.body && list.current) focusItem(list.current, from.current);
    from.current = null;
  }, [n]);
  return [list, () => { from.current = n; }];
}

// focusItem gives the focus to the item of a list from which on it was not
// shown before, once it is: the button that had it is gone by then.
export function focusItem(list, n) {
  requestAnimationFrame(() => {
    const item = list.children[n];
    if (!item) return;
    const target = item.querySelector("a, button") || item;
    if (target === item) item.tabIndex = -1;
    target.focus();
  });
}
