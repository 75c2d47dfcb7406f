package admission_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/admission"
)

const (
	slackIdentity  = `[{"userId":"U1","providerName":"Slack","providerType":"OIDC","issuer":null,"primary":true}]`
	googleIdentity = `[{"userId":"1","providerName":"Google","providerType":"Google","issuer":null,"primary":true}]`
)

type attributes map[string]string

func eventOf(t *testing.T, source string, of attributes, groups ...string) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(map[string]any{
		"version": "2", "triggerSource": source, "userName": "someone", "later": map[string]any{"kept": 1.5},
		"request": map[string]any{"userAttributes": of,
			"groupConfiguration": map[string]any{"groupsToOverride": groups, "iamRolesToOverride": []string{}, "preferredRole": nil}},
		"response": nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhoIsAdmitted(t *testing.T) {
	t.Parallel()
	open := admission.Rules{SlackTeam: "T1", SlackRole: "viewer"}
	closed := admission.Rules{SlackRole: "viewer"}
	const signUp, token, refresh = "PreSignUp_ExternalProvider", "TokenGeneration_HostedAuth", "TokenGeneration_RefreshTokens"
	tests := []struct {
		name   string
		rules  admission.Rules
		source string
		of     attributes
		want   string // in the refusal; "" for none
	}{
		{"a member signs up", open, signUp, attributes{"custom:slack_team": "T1"}, ""},
		{"a stranger signs up", open, signUp, attributes{"custom:slack_team": "T2"}, "[other_slack_team]"},
		{"the id in other letters", open, signUp, attributes{"custom:slack_team": "t1"}, "[other_slack_team]"},
		{"a longer id", open, signUp, attributes{"custom:slack_team": "T12"}, "[other_slack_team]"},
		{"no workspace is said", open, signUp, attributes{"email": "a@example.com"}, "[no_slack_team]"},
		{"no attributes", open, signUp, nil, "[no_slack_team]"},
		{"an attribute of a similar name", open, signUp, attributes{"slack_team": "T1", "custom:Slack_Team": "T1"}, "[no_slack_team]"},
		{"without Slack", closed, signUp, attributes{"custom:slack_team": "T1"}, "[no_slack]"},
		{"without Slack and workspace", closed, signUp, nil, "[no_slack]"},
		{"an administrator makes a user", open, "PreSignUp_AdminCreateUser", attributes{"email": "a@example.com"}, ""},
		{"somebody makes themselves a user", open, "PreSignUp_SignUp", attributes{"custom:slack_team": "T1"}, "[no_sign_up]"},

		{"a member's token", open, token, attributes{"custom:slack_team": "T1", "identities": slackIdentity, "cognito:user_status": "EXTERNAL_PROVIDER"}, ""},
		{"a stranger's token", open, token, attributes{"custom:slack_team": "T2", "identities": slackIdentity, "cognito:user_status": "EXTERNAL_PROVIDER"}, "[other_slack_team]"},
		{"a token after the workspace was changed", open, refresh, attributes{"custom:slack_team": "T2", "identities": slackIdentity, "cognito:user_status": "EXTERNAL_PROVIDER"}, "[other_slack_team]"},
		{"known by identity alone", open, token, attributes{"identities": slackIdentity, "cognito:user_status": "CONFIRMED"}, "[no_slack_team]"},
		{"known by status alone", open, token, attributes{"cognito:user_status": "EXTERNAL_PROVIDER"}, "[no_slack_team]"},
		{"another service", open, token, attributes{"identities": googleIdentity, "cognito:user_status": "EXTERNAL_PROVIDER"}, "[no_slack_team]"},
		{"a member's token without Slack", closed, token, attributes{"custom:slack_team": "T1", "identities": slackIdentity}, "[no_slack]"},
		{"a user of the pool", open, token, attributes{"cognito:user_status": "CONFIRMED", "email": "a@example.com"}, ""},
		{"a user of the pool without Slack", closed, token, attributes{"cognito:user_status": "CONFIRMED", "email": "a@example.com"}, ""},
		{"a user of the pool who once was linked", open, token, attributes{"cognito:user_status": "CONFIRMED", "identities": "[]"}, ""},
		{"another trigger", open, "PostConfirmation_ConfirmSignUp", attributes{"custom:slack_team": "T1"}, "no answer"},
		{"no trigger", open, "", attributes{"custom:slack_team": "T1"}, "no answer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := test.rules.Answer(eventOf(t, test.source, test.of))
			if refused := err != nil; refused != (test.want != "") || refused && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want %q", err, test.want)
			}
		})
	}
	for _, raw := range []string{"", "null", "[]", `{"triggerSource":1}`, `{"triggerSource":"TokenGeneration_HostedAuth","request":{"userAttributes":{"identities":[1]}}}`} {
		if answer, err := open.Answer(json.RawMessage(raw)); err == nil {
			t.Errorf("%q: got %s, want an error", raw, answer)
		}
	}
}

// Groups that the answer leaves out would be taken away from the token.
func TestWhatTokensSay(t *testing.T) {
	t.Parallel()
	member := attributes{"custom:slack_team": "T1", "identities": slackIdentity, "cognito:user_status": "EXTERNAL_PROVIDER", "email": "mia@example.com"}
	user := attributes{"cognito:user_status": "CONFIRMED", "email": "ana@example.com"}
	for _, test := range []struct {
		name   string
		role   string
		of     attributes
		groups []string
		who    string
		want   []any
	}{
		{"a member", "viewer", member, []string{"pool_Slack"}, "mia@example.com", []any{"pool_Slack", "viewer"}},
		{"a member as editor", "editor", member, []string{"pool_Slack"}, "mia@example.com", []any{"pool_Slack", "editor"}},
		{"a member without a role", "", member, []string{"pool_Slack"}, "mia@example.com", []any{"pool_Slack"}},
		{"a member in a group", "viewer", member, []string{"pool_Slack", "admin"}, "mia@example.com", []any{"pool_Slack", "admin"}},
		{"a member in a lower group", "editor", member, []string{"viewer", "pool_Slack"}, "mia@example.com", []any{"viewer", "pool_Slack"}},
		{"a member without an address", "viewer", attributes{"custom:slack_team": "T1", "identities": slackIdentity}, nil, "someone", []any{"viewer"}},
		{"a user", "viewer", user, []string{"editor"}, "ana@example.com", []any{"editor"}},
		{"a user in no group", "editor", user, []string{}, "ana@example.com", []any{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sent := eventOf(t, "TokenGeneration_HostedAuth", test.of, test.groups...)
			answer, err := admission.Rules{SlackTeam: "T1", SlackRole: test.role}.Answer(sent)
			if err != nil {
				t.Fatalf("got error %v", err)
			}
			b, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			var want, got map[string]any
			if err := json.Unmarshal(sent, &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			want["response"] = map[string]any{"claimsAndScopeOverrideDetails": map[string]any{
				"accessTokenGeneration": map[string]any{"claimsToAddOrOverride": map[string]any{"vizpost_name": test.who}},
				"groupOverrideDetails":  map[string]any{"groupsToOverride": test.want, "iamRolesToOverride": []any{}, "preferredRole": nil},
			}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the answer (-want +got):\n%s", diff)
			}
		})
	}
}
