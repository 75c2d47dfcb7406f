package functions_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// admissionOf has the built function answer Cognito's events.
func admissionOf(a *account, event func(file string) []byte) {
	a.Helper()
	for file, want := range map[string]string{
		"admission-slack-new-stranger.json":       "[other_slack_team]",
		"admission-slack-new-without-team.json":   "[no_slack_team]",
		"admission-slack-stranger-token.json":     "[other_slack_team]",
		"admission-slack-token-without-team.json": "[no_slack_team]",
	} {
		out, err := a.process("admission").Invoke(a.Context(), event(file))
		if err == nil || !strings.Contains(err.Error(), want) {
			a.Errorf("%s: got %s and error %v, want one with %s", file, out, err, want)
		}
	}
	for _, file := range []string{"admission-slack-new-member.json", "admission-user-made.json"} {
		if diff := cmp.Diff(decoded(a, event(file)), decoded(a, a.invoke("admission", event(file)))); diff != "" {
			a.Errorf("%s: the event came back changed (-sent +got):\n%s", file, diff)
		}
	}
	for file, want := range map[string]struct {
		name   string
		groups []any
	}{
		"admission-slack-member-token.json": {"mia@example.com", []any{"eu-central-1_Example_Slack", "viewer"}},
		"admission-user-token.json":         {"ana@example.com", []any{"admin"}},
	} {
		sent, got := decoded(a, event(file)), decoded(a, a.invoke("admission", event(file)))
		sent["response"] = object{"claimsAndScopeOverrideDetails": object{
			"accessTokenGeneration": object{"claimsToAddOrOverride": object{"vizpost_name": want.name}},
			"groupOverrideDetails":  object{"groupsToOverride": want.groups, "iamRolesToOverride": []any{}, "preferredRole": nil},
		}}
		if diff := cmp.Diff(sent, got); diff != "" {
			a.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

func decoded(a *account, b []byte) object {
	a.Helper()
	var o object
	a.must(nil, json.Unmarshal(b, &o))
	return o
}

// The page gets from the public function how to sign in, and may call the
// sign-in page and the bucket, which the API redirects to.
func TestPageKnowsHowToSignIn(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	public := func(path string) answer {
		var e object
		a.must(nil, json.Unmarshal(a.event("public-page.json"), &e))
		e["rawPath"] = path
		b, err := json.Marshal(e)
		a.must(b, err)
		return a.call("public", b, http.StatusOK)
	}
	want := object{"sign_in": object{"type": "cognito", "domain": "https://SignInPage.auth.eu-central-1.amazoncognito.com",
		"issuer": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example", "client_id": "1example23456789", "providers": []any{"cognito", "slack"}}}
	if diff := cmp.Diff(want, public("/config.json").body); diff != "" {
		t.Errorf("/config.json (-want +got):\n%s", diff)
	}
	policy := public("/").header["Content-Security-Policy"]
	if want := "connect-src 'self' https://SignInPage.auth.eu-central-1.amazoncognito.com " + a.recorder.URL + ";"; !strings.Contains(policy, want) {
		t.Errorf("the page's policy is %q, want %q in it", policy, want)
	}

	me := a.call("api", a.request("GET", "/v1/me", nil, func(e object) {
		e["requestContext"].(object)["authorizer"].(object)["jwt"].(object)["claims"].(object)["vizpost_name"] = "ana@example.com"
	}), http.StatusOK)
	if me.get("name") != "ana@example.com" || me.get("role") != "admin" || me.get("installation", "mode") != "aws" || me.get("installation", "mail") != "ses" ||
		me.get("installation", "slack_role") != "viewer" {
		t.Errorf("/v1/me gives %v", me.body)
	}
}

// Slack is there with its parameters alone, and what it says of a user is
// mapped to attributes that exist, can be changed and are the client's to write.
func TestSlack(t *testing.T) {
	t.Parallel()
	without := newStack(t, nil)
	with := newStack(t, map[string]string{"SlackClientId": "1.2", "SlackClientSecret": "secret", "SlackTeamId": "T1"})
	client := func(s *stack, property string) any {
		return s.resolve(s.at("Resources", "SignInClient", "Properties", property))
	}
	trigger := func(s *stack) any {
		return s.resolve(s.at("Resources", "Users", "Properties", "LambdaConfig")).(object)["PreSignUp"]
	}
	providers := func(s *stack) string {
		for _, f := range s.functions() {
			if f.name == "public" {
				return f.env["VIZPOST_SIGN_IN_PROVIDERS"]
			}
		}
		return ""
	}
	if diff := cmp.Diff([]any{[]any{"COGNITO"}, nil, "cognito"}, []any{client(without, "SupportedIdentityProviders"), trigger(without), providers(without)}); diff != "" {
		t.Errorf("without Slack (-want +got):\n%s", diff)
	}
	// Who is in the workspace and in no group may nothing, until somebody says
	// so. A stack that got the earlier default keeps its parameter's value.
	for _, f := range with.functions() {
		if role, has := f.env["VIZPOST_SLACK_ROLE"]; has && role != "none" {
			t.Errorf("the function %s has the Slack role %q by default, want none", f.name, role)
		}
	}
	arn := with.arn("AdmissionFunction")
	if diff := cmp.Diff([]any{[]any{"COGNITO", "Slack"}, arn, "cognito,slack"}, []any{client(with, "SupportedIdentityProviders"), trigger(with), providers(with)}); diff != "" {
		t.Errorf("with Slack (-want +got):\n%s", diff)
	}
	if with.at("Resources", "Slack", "Condition") != "HasSlack" || with.at("Resources", "Slack", "Properties", "ProviderName") != "Slack" {
		t.Error("Slack is there without its parameters, or has a name that the page does not know")
	}
	if with.at("Parameters", "SlackClientSecret", "NoEcho") != true {
		t.Error("the client secret can be read back from the stack")
	}

	writable := texts(client(with, "WriteAttributes"))
	mutable := []string{"email"} // a standard attribute
	for _, a := range with.at("Resources", "Users", "Properties", "Schema").([]any) {
		if a.(object)["Mutable"] == true {
			mutable = append(mutable, "custom:"+a.(object)["Name"].(string))
		}
	}
	for name := range with.at("Resources", "Slack", "Properties", "AttributeMapping").(object) {
		if name != "username" && (!slices.Contains(writable, name) || !slices.Contains(mutable, name)) {
			t.Errorf("%s is mapped, and is not one of the client's %q and of the mutable %q", name, writable, mutable)
		}
	}
	for _, scope := range texts(client(with, "AllowedOAuthScopes")) {
		if strings.HasPrefix(scope, "aws.") {
			t.Errorf("with the scope %s users could write what says which workspace they are in", scope)
		}
	}
	// Before the permission, making the user would fail.
	if got := with.at("Resources", "FirstAdmin", "DependsOn"); got != "AdmissionPermission" {
		t.Errorf("the first user depends on %v", got)
	}
}
