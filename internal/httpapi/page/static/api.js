// Calls of the HTTP API. The token lives in the tab's session storage and is
// sent in a header; there are no cookies.

const key = "vizpost.token";

// takeToken reads the token from the address (/#token=…), keeps it, and takes it
// out of the address bar and the history.
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    keepToken(given);
    history.replaceState(null, "", location.pathname);
  }
  return Boolean(given);
}

export const hasToken = () => Boolean(sessionStorage.getItem(key));
export const keepToken = (token) => sessionStorage.setItem(key, token.trim());
export const forgetToken = () => sessionStorage.removeItem(key);

// Problem is an error that the API told, or that kept it from answering.
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || "vizpost does not answer.");
    this.status = status;
    this.code = body.code || "";
    this.fields = body.errors || [];
  }
}

async function call(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      cache: "no-store",
      headers: {
        Authorization: `Bearer ${sessionStorage.getItem(key) || ""}`,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, { detail: "vizpost does not answer. Is it still running?" });
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Problem(answer.status, problem);
  }
  return answer;
}

export const get = async (path) => (await call("GET", path)).json();
export const blob = async (path) => (await call("GET", path)).blob();
export const post = async (path, body, headers) => (await call("POST", path, body, headers)).json();

// download fetches a file with the token and hands it to the browser.
export async function download(path, name) {
  const address = URL.createObjectURL(await blob(path));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
