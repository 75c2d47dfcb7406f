// Who is signed in, and what they may do here.
import { get } from "/api.js";
import { useEffect, useState } from "/ui.js";

const ranks = { viewer: 0, editor: 1, admin: 2 };

// known is who it was when it was last read, so that buttons do not come and go
// from one page to the next.
let known = null;

// useMe gives {name, role, installation}, null until it is read, and two
// questions. can: may they do what needs a role? Until that is known, no. When
// it cannot be read, everything is offered, and the API refuses what may not
// be. lacks: is it known that they may not?
export function useMe() {
  const [me, setMe] = useState(known);
  const [unknown, setUnknown] = useState(false);
  useEffect(() => {
    let wanted = true;
    get("/v1/me").then((read) => {
      known = read;
      if (wanted) setMe(read);
    }, () => wanted && setUnknown(true));
    return () => { wanted = false; };
  }, []);
  return { me, can: (role) => (me ? ranks[me.role] >= ranks[role] : unknown), lacks: (role) => me !== null && ranks[me.role] < ranks[role] };
}
