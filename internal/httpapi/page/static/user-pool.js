// Signing in at the user pool's page: the authorization code with PKCE (RFC
// 7636) of a public client. Tokens live in the tab's session storage.
import { explain, failed } from "/signin-problems.js";

const kept = "vizpost.sign-in"; // {access, refresh, until, name}
const begun = "vizpost.sign-in-begun"; // {state, nonce, verifier, provider, place}
const early = 60_000; // milliseconds before its end at which a token is renewed
const wait = 15_000; // milliseconds for the user pool to answer
const farewell = 3_000; // the same, while somebody waits to leave

// The names that the user pool knows its providers by.
const names = { cognito: "COGNITO", slack: "Slack" };

const read = (key) => {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
};

// hasTokens tells whether somebody has signed in here, though their tokens may
// be too old.
export const hasTokens = () => Boolean(read(kept)?.access);

// dropTokens forgets them in this tab; the user pool still knows the user.
export const dropTokens = () => sessionStorage.removeItem(kept);

// userName is whom the tokens are for: an email address, where there is one.
export const userName = () => read(kept)?.name || "";

// userPool is what the page does with the pool that /config.json names. skew is
// how many seconds this device's clock is behind vizpost's.
export function userPool({ domain, issuer, client_id }, skew) {
  const home = `${location.origin}/`;
  const server = {
    issuer,
    authorization_endpoint: `${domain}/oauth2/authorize`,
    token_endpoint: `${domain}/oauth2/token`,
    revocation_endpoint: `${domain}/oauth2/revoke`,
  };
  let renewing = null;

  // The library is read when it is first needed: most visits need it once in
  // an hour.
  async function library() {
    const oauth = await import("/vendor/oauth4webapi.mjs");
    return { oauth, client: { client_id, [oauth.clockSkew]: skew }, options: (limit = wait) => ({ signal: AbortSignal.timeout(limit) }) };
  }

  function keep(oauth, tokens, before = {}) {
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    sessionStorage.setItem(kept, JSON.stringify({
      access: tokens.access_token,
      refresh: tokens.refresh_token || before.refresh,
      until: Date.now() + (tokens.expires_in ?? 300) * 1000,
      name: claims?.email || claims?.["cognito:username"] || before.name,
    }));
  }

  // start leaves for the sign-in page. provider is one of /config.json's.
  async function start(provider) {
    const { oauth } = await library();
    const at = { state: oauth.generateRandomState(), nonce: oauth.generateRandomNonce(), verifier: oauth.generateRandomCodeVerifier(), provider,
      place: location.hash };
    sessionStorage.setItem(begun, JSON.stringify(at));
    const address = new URL(server.authorization_endpoint);
    address.search = new URLSearchParams({
      response_type: "code", client_id, redirect_uri: home, scope: "openid email", state: at.state, nonce: at.nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(at.verifier), code_challenge_method: "S256", identity_provider: names[provider],
    });
    location.assign(address);
  }

  // finish takes up the answer that the address brings back from the sign-in
  // page, and goes to where the user was. It gives what went wrong, null when
  // nothing did.
  async function finish(answer) {
    const at = read(begun);
    sessionStorage.removeItem(begun);
    history.replaceState(null, "", `/${at?.place?.startsWith("#/") ? at.place : ""}`);
    if (!at || answer.get("state") !== at.state) return failed.notBegunHere;
    try {
      const { oauth, client, options } = await library();
      const checked = oauth.validateAuthResponse(server, client, answer, at.state);
      const response = await oauth.authorizationCodeGrantRequest(server, client, oauth.None(), checked, home, at.verifier, options());
      keep(oauth, await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: at.nonce, requireIdToken: true }));
      return null;
    } catch (failure) {
      return explain(failure, at.provider, domain);
    }
  }

  // renew gets a new access token by the refresh token, once for all who ask
  // meanwhile. It tells whether there is one; when the user pool refuses, the
  // sign-in has ended.
  function renew() {
    renewing ||= renewNow().finally(() => { renewing = null; });
    return renewing;
  }

  async function renewNow() {
    const before = read(kept);
    if (!before?.refresh) return false;
    try {
      const { oauth, client, options } = await library();
      const response = await oauth.refreshTokenGrantRequest(server, client, oauth.None(), before.refresh, options());
      keep(oauth, await oauth.processRefreshTokenResponse(server, client, response), before);
      return true;
    } catch (failure) {
      if (failure.status >= 400 && failure.status < 500 && failure.status !== 429) dropTokens();
      return false;
    }
  }

  // accessToken gives the one that calls carry, renewed when its end is near;
  // empty when nobody is signed in.
  async function accessToken() {
    const now = read(kept);
    if (now && Date.now() > now.until - early) await renew();
    return read(kept)?.access || "";
  }

  // leave ends the sign-in here and at the user pool, whose page leads back.
  async function leave() {
    const before = read(kept);
    dropTokens();
    if (before?.refresh) {
      // So that what was copied from here is of no use. Leaving does not depend
      // on it.
      const { oauth, client, options } = await library();
      await oauth.revocationRequest(server, client, oauth.None(), before.refresh, options(farewell)).catch(() => {});
    }
    const address = new URL(`${domain}/logout`);
    address.search = new URLSearchParams({ client_id, logout_uri: home });
    location.assign(address);
  }

  return { start, finish, renew, accessToken, leave };
}
