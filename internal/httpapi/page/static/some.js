// The first of a long list, until all of it is asked for.
import { Button, html, useState } from "/ui.js";

// useSome gives the part of a list that is shown, and the button that shows the
// rest where there is one. noun is what the list holds, such as "connections".
export function useSome(list, few, noun) {
  const [whole, setWhole] = useState(false);
  if (whole || list.length <= few + 2) return [list, null];
  return [list.slice(0, few), html`<div class="more"><${Button} onClick=${() => setWhole(true)}>Show all ${list.length} ${noun}<//></div>`];
}
