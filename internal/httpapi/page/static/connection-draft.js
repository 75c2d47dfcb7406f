// A connection as its dialog edits it, and as the API takes it.
import { splitAddresses } from "/addresses.js";
import { date } from "/words.js";

export const blank = { name: "", server_url: "", site: "", method: "personal_access_token", token_name: "", token_secret: "", expires_on: "", username: "", password: "", notify: "" };

// filled gives the draft of a connection that was read; its secret is not known.
export function filled(c) {
  const entered = c.token_life.source === "entered" && c.token_life.expires_at;
  return { ...blank, name: c.name, server_url: c.server_url, site: c.site, method: c.auth.method, token_name: c.auth.token_name || "", username: c.auth.username || "",
    expires_on: entered ? c.token_life.expires_at.slice(0, 10) : "", notify: c.notify.join(", ") };
}

// fromAddress takes server and site out of an address as the browser shows it.
export function fromAddress(text) {
  const found = /^(https?:\/\/[^/#?]+)\/(?:.*#\/)?(?:site|t)\/([^/?#]+)/.exec(text.trim());
  return found && { server_url: found[1], site: decoded(found[2]) };
}

// decoded is a part of an address as it reads; one with a percent sign of its
// own stays as it is.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// compared says what of a draft differs from where it began; without a
// beginning there is no connection yet. signsIn: is there a credential to try,
// or is only saved what stands beside it? A dead one always needs another.
// beside: is only that to be saved which stands beside a dead one? dirty: is
// there anything to lose?
export function compared(draft, start, dead = false) {
  const token = draft.method === "personal_access_token";
  if (!start) return { token, moved: false, signsIn: true, dirty: typed(draft, blank) };
  const moved = draft.server_url.trim() !== start.server_url || draft.site.trim() !== start.site;
  const named = token ? draft.token_name.trim() !== start.token_name : draft.username.trim() !== start.username;
  const touched = moved || named || Boolean(token ? draft.token_secret : draft.password);
  const dirty = typed(draft, start);
  return { token, moved, signsIn: dead || touched || draft.method !== start.method, beside: dead && !touched && dirty, dirty };
}

const typed = (draft, start) => Object.keys(start).some((name) => name !== "method" && draft[name] !== start[name]);

// missing finds what cannot be sent at all, as the API would name it.
export function missing(draft, { token, moved, signsIn }) {
  const fields = [];
  const need = (field, value, message) => !value.trim() && fields.push({ field, message });
  const again = (secret) => `Enter the ${secret} too: the one that is kept is never sent to another address.`;
  need("name", draft.name, "Give the connection a name, such as the site's.");
  need("server_url", draft.server_url, "Give the server's address, as the browser shows it.");
  if (signsIn && token) {
    need("auth.token_name", draft.token_name, "Give the token's name as Tableau shows it.");
    need("auth.token_secret", draft.token_secret, moved ? again("secret") : "Paste the secret that Tableau showed when the token was made.");
  } else if (signsIn) {
    need("auth.username", draft.username, "Give the user name. On Tableau Cloud it is an email address.");
    need("auth.password", draft.password, moved ? again("password") : "Enter the password.");
  }
  return fields;
}

// toRequest gives what the API takes: all of a new connection, of one that there
// is what was changed. dated tells whether the day of expires_on is meant for
// the token that is sent, and not left over from the one before.
export function toRequest(draft, start, dated, signsIn) {
  const { token, moved } = compared(draft, start);
  const sent = {};
  if (!start || draft.name !== start.name) sent.name = draft.name.trim();
  if (!start || moved) Object.assign(sent, { server_url: draft.server_url.trim(), site: draft.site.trim() });
  if (!start || draft.notify !== start.notify) sent.notify = splitAddresses(draft.notify);
  if (!signsIn) {
    if (draft.expires_on !== start.expires_on) sent.token_expires_on = draft.expires_on || null;
    return sent;
  }
  sent.auth = token
    // A secret that was copied over two lines has a break in it, and never has a space.
    ? { method: draft.method, token_name: draft.token_name.trim(), token_secret: draft.token_secret.replace(/\s+/g, ""), ...(dated && draft.expires_on && { expires_on: draft.expires_on }) }
    : { method: draft.method, username: draft.username.trim(), password: draft.password };
  return sent;
}

const labels = { name: "Name", server_url: "Server", site: "Site", token_name: "Token name", username: "Username", expires_on: "Token ends on", notify: "Send alerts to" };

// rebased puts a draft on what the connection is by now: what was typed stays,
// the rest becomes as others left it. A secret that was typed keeps the name that
// it belongs to. theirs are the others' changes, as pairs
// of a label and a value.
export function rebased(draft, start, c) {
  const now = filled(c);
  const mine = (name) => draft[name] !== start[name];
  const merged = Object.fromEntries(Object.keys(blank).map((name) => [name, mine(name) ? draft[name] : now[name]]));
  if (draft.token_secret || draft.password) merged.method = draft.method;
  if (draft.token_secret) merged.token_name = draft.token_name;
  if (draft.password) merged.username = draft.username;
  const theirs = Object.keys(labels).filter((name) => now[name] !== start[name])
    .map((name) => [labels[name], name === "expires_on" && now[name] ? date(now[name]) : now[name] || "none"]);
  return { start: now, draft: merged, theirs };
}
