// Calls of the HTTP API. Who is signed in is signin.js's matter; every call
// carries its access token in a header, and there are no cookies.
import { signedOut } from "/drafts.js";
import { accessToken, accepted, ended, renew } from "/signin.js";

// Problem is an error that the API told, or what kept it from answering.
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || `vizpost does not answer. ${body.unsure || "Try again in a moment."}`);
    this.name = "Problem";
    this.status = status; // 0 when there was no answer
    this.code = body.code || "";
    this.detail = this.message;
    this.fields = body.errors || []; // [{field, message}]
    this.causes = body.causes || []; // [{code, message, remedy}], the likeliest first
    this.body = body; // all of the problem details
  }
}

// newKey names one intent: a POST that is sent again with it is done once.
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

async function send(method, path, { body, headers = {}, signal } = {}) {
  try {
    return await fetch(path, {
      method,
      signal,
      cache: "no-store",
      headers: {
        Authorization: `Bearer ${await accessToken()}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (failure) {
    if (signal?.aborted) throw failure;
    const then = unsure(method) || "Then try again.";
    throw new Problem(0, { code: "no_answer", detail: `vizpost does not answer. Check that it is still running and that you are online. ${then}` });
  }
}

// unsure is what is said of a request without an answer, or with one that is not
// vizpost's own: what it was to change may have been changed.
const unsure = (method) => (method === "GET" ? "" : "What you asked for may have been done. Reload the page before you try again.");

async function call(method, path, options) {
  let answer = await send(method, path, options);
  if (answer.status === 401 && (await renew())) answer = await send(method, path, options);
  if (answer.status !== 401) accepted();
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  const problem = new Problem(answer.status, body.detail ? body : { ...body, unsure: unsure(method) });
  if (answer.status === 401) dispatchEvent(new CustomEvent(signedOut, { detail: ended(problem) }));
  throw problem;
}

const version = (n) => (n === undefined ? {} : { "If-Match": `"${n}"` });

export const get = async (path, options) => (await call("GET", path, options)).json();
export const blob = async (path) => (await call("GET", path)).blob();

// post gives the answer, null when it has none. A call repeated for the same
// intent is given the key of the first.
export async function post(path, body = {}, { key = newKey(), signal } = {}) {
  const answer = await call("POST", path, { body, signal, headers: { "Idempotency-Key": key } });
  return answer.status === 204 ? null : answer.json();
}

// patch and remove are refused (412) when somebody changed it since the version.
export const patch = async (path, body, n, { signal } = {}) => (await call("PATCH", path, { body, signal, headers: version(n) })).json();
export const remove = async (path, n) => void (await call("DELETE", path, { headers: version(n) }));

// all reads a list to its end, at most so many pages.
export async function all(path, noun, pages = 10) {
  const found = [];
  let cursor = "";
  do {
    const mark = path.includes("?") ? "&" : "?";
    const answer = await get(`${path}${mark}limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...answer[noun]);
    cursor = answer.next_cursor;
  } while (cursor && --pages > 0);
  return found;
}

// download fetches a file with the sign-in and hands it to the browser.
export async function download(path, name) {
  const address = URL.createObjectURL(await blob(path));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
