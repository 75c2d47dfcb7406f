// The first of a long list, until all of it is asked for.
import { Button, html, useState } from "/ui.js";

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
