// What was typed and is not saved, kept over the end of a sign-in: in memory
// while it is typed, and in the tab's session storage from the end of the
// sign-in until its form is open again. Secrets are never among it.
import { useLayoutEffect } from "/vendor/hooks.mjs";

// signedOut is told to the window when the API no longer takes the sign-in.
export const signedOut = "vizpost:signed-out";

const stored = "vizpost.typed"; // {name: {owner, at, value}}
const lasts = 24 * 3_600_000; // milliseconds for which it is kept
const typing = new Map(); // of the forms that are open
let owner = ""; // who types

// typedBy says who is signed in: what they type is given back to nobody else.
export const typedBy = (name) => { owner = name || owner; };

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(stored)) || {};
  } catch {
    return {};
  }
}

function write(drafts) {
  if (Object.keys(drafts).length === 0) sessionStorage.removeItem(stored);
  else sessionStorage.setItem(stored, JSON.stringify(drafts));
}

// This listens before the shell does, so it comes before the forms are gone.
addEventListener(signedOut, () => {
  const drafts = read();
  for (const [name, value] of typing) drafts[name] = { owner, at: Date.now(), value };
  write(drafts);
});

// useDraft keeps what a form holds; null when there is nothing to keep.
export function useDraft(name, value) {
  useLayoutEffect(() => {
    if (value === null) typing.delete(name);
    else typing.set(name, value);
  });
  useLayoutEffect(() => () => typing.delete(name), [name]);
}

// takeDraft gives what was kept under a name, once; undefined when nothing was.
export function takeDraft(name) {
  const { [name]: found, ...rest } = read();
  if (!found) return undefined;
  write(rest);
  return found.owner === owner && Date.now() - found.at < lasts ? found.value : undefined;
}

// hasDrafts tells whether anything is being typed, or waits for its form.
export const hasDrafts = () => typing.size > 0 || Object.values(read()).some((found) => Date.now() - found.at < lasts);

// dropDrafts forgets all of them, when somebody signs out.
export const dropDrafts = () => write({});
