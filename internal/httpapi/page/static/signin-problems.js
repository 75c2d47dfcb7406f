// What went wrong while signing in at the user pool's page, in words: a title,
// what happened, and what to do.

const again = "Sign in again.";
const tell = "Tell an administrator of this vizpost:";
const orTell = "If it stays so, tell an administrator of this vizpost";

// failed are the failures that the page finds out itself.
export const failed = {
  notBegunHere: {
    title: "This sign-in was not begun here",
    text: `The address belongs to a sign-in from another tab, an old bookmark or somebody else's link, so it was not used. ${again}`,
  },
  noAnswer: {
    title: "vizpost does not answer",
    text: "Check that you are online, and try again.",
  },
  refused: {
    title: "vizpost did not accept the sign-in",
    text: `The user pool signed you in, and vizpost refused its token. ${tell} the API's authorizer may belong to another user pool.`,
  },
  endedTyped: "Your sign-in ended. What you typed is kept: sign in again to go on.",
  ended: "Your sign-in has ended. Sign in again, and you come back to where you were.",
  noRole: (name) => ({
    title: name ? `${name} has no access yet` : "You have no access yet",
    text: "You are signed in, but in none of the groups viewer, editor and admin. Ask an administrator of this vizpost to put you into one, then check again.",
  }),
};

// In each of these lists, the first whose pattern matches counts.

// The refusals of vizpost's own check, the function admission, which Cognito
// quotes.
const refusals = [
  [/\[other_slack_team\]/, {
    title: "This Slack workspace may not sign in here",
    text: "Slack signed you in with another workspace than the one that this vizpost is for. Sign in again and choose the right workspace at Slack, at the top right. If you are not in it, ask an administrator for an account.",
  }],
  [/\[no_slack_team\]/, {
    title: "Slack did not say which workspace you are in",
    text: `Without it nobody is let in. ${tell} the Slack app needs the scopes openid, profile and email, and the user pool the mapping from https://slack.com/team_id to custom:slack_team.`,
  }],
  [/\[no_slack\]/, {
    title: "Signing in with Slack is switched off",
    text: "Sign in with your email address and password. If you have no password, ask an administrator for an account.",
  }],
  [/\[no_sign_up\]/, {
    title: "You have no account here",
    text: "Accounts are made by an administrator. Ask one for yours.",
  }],
  [/\w+ (failed with error|invocation failed)|UserLambdaValidation|UnexpectedLambda/i, {
    title: "The check of who may come in failed",
    text: `That is no fault of yours. Try again in a moment. ${orTell}: the log of the function admission says why.`,
  }],
];

// What else the sign-in page says.
const said = [
  ...refusals,
  [/user is (disabled|not enabled)|disabled user/i, {
    title: "Your account is disabled",
    text: "An administrator of this vizpost has disabled it, and can enable it again.",
  }],
  [/attributes? required|required attribute/i, {
    title: "Slack did not give your email address",
    text: `Add one to your Slack account, and sign in again. If it has one, tell an administrator of this vizpost: the Slack app needs the scope email.`,
  }],
  [/attribute cannot be updated|not writable/i, {
    title: "The user pool could not store what Slack says of you",
    text: `${tell} an attribute that is mapped from Slack cannot be written by the page's client.`,
  }],
  [/\baccess_denied\b/, {
    title: "The sign-in was cancelled",
    slack: "It was cancelled at Slack, or your workspace does not allow the app. Sign in again and choose Allow; if Slack does not let you, an owner of the workspace has to approve the app.",
    text: "It was cancelled on the sign-in page, or refused there. Sign in again.",
  }],
  [/invalid_client|client.?secret|bad_client|token (request|endpoint|exchange)|getting token|identity provider/i, {
    title: "The user pool could not finish with Slack",
    text: `${tell} the parameters SlackClientId and SlackClientSecret may not be those of the Slack app, or its redirect URL is another than the output SlackRedirectUrl.`,
  }],
  [/^(unauthorized_client|invalid_scope|unsupported_response_type)/, {
    title: "The user pool does not let this page sign in",
    text: `${tell} the page's client in the user pool was changed. Deploying the template again puts it right.`,
  }],
  [/^(server_error|temporarily_unavailable)/, {
    title: "The sign-in page has a problem of its own",
    text: "Try again in a few minutes.",
  }],
];

// What else is said when the code is exchanged for tokens.
const exchange = [
  ...refusals,
  [/^invalid_grant/, {
    title: "The sign-in took too long",
    text: "Its code holds for a few minutes and works once. Sign in again, and do not reload the page on the way back.",
  }],
  [/^(invalid_client|unauthorized_client)/, {
    title: "The user pool does not know this page",
    text: `${tell} the page's client in the user pool was removed or changed. Deploying the template again puts it right.`,
  }],
];

const find = (list, text) => list.find(([pattern]) => pattern.test(text))?.[1];
const quoted = (error, description) => [error, description].filter(Boolean).join(": ").slice(0, 300);

// explain puts an error of the library oauth4webapi into words. provider is the
// one that was signed in with; domain is the address of the sign-in page.
export function explain(failure, provider, domain) {
  const { code, error = "", error_description: description = "" } = failure;
  const text = `${error} ${description}`;
  const inWords = (found) => found && { title: found.title, text: (provider === "slack" && found.slack) || found.text };
  if (code === "OAUTH_AUTHORIZATION_RESPONSE_ERROR") {
    return inWords(find(said, text)) || { title: "The sign-in page refused", text: `It said “${quoted(error, description)}”. ${again} ${orTell}.` };
  }
  if (code === "OAUTH_RESPONSE_BODY_ERROR") {
    return inWords(find(exchange, text)) || { title: "The user pool gave no token", text: `It said “${quoted(error, description)}”. ${again} ${orTell}.` };
  }
  if (code === "OAUTH_JWT_TIMESTAMP_CHECK_FAILED") {
    return { title: "The clocks do not agree", text: "By this device's clock the sign-in is already over. Set the date, time and time zone of this device to be set automatically, and sign in again." };
  }
  if (code === "OAUTH_JWT_CLAIM_COMPARISON_FAILED" || code === "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED") {
    return { title: "The answer was not meant for this sign-in", text: `The token names another sign-in, client or user pool, so it was not used. ${again} ${orTell}.` };
  }
  if (failure instanceof TypeError || failure.name === "TimeoutError" || failure.name === "AbortError") {
    return { title: "The sign-in service does not answer", text: `${new URL(domain).host} cannot be reached from this browser. Check that you are online and that no extension or network blocks it, and sign in again.` };
  }
  return { title: "The sign-in could not be finished", text: `The answer of the user pool cannot be used (${code || failure.name}). ${again} ${orTell}.` };
}
