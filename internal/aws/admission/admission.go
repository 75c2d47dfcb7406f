// Package admission decides who may come in of those whom the user pool has
// recognised, and what their token says of them. Cognito asks before it makes a
// user of somebody who comes from Slack, and again before each token.
package admission

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Rules are those of one installation.
type Rules struct {
	// SlackTeam is the id of the one Slack workspace whose members may come in,
	// such as T0123ABCD. Empty: nobody comes in by Slack.
	SlackTeam string

	// SlackRole is the group that such a member counts as while an
	// administrator has put them in none. Empty: no group, and thus no role.
	SlackRole string
}

// Name is the claim of access tokens that names the user to people. Access
// tokens carry no email address of their own accord.
const Name = "vizpost_name"

// team is the attribute of the user pool that Slack's claim
// https://slack.com/team_id is mapped to.
const team = "custom:slack_team"

// The refusals, which Cognito quotes in the error that the page gets. The words
// in brackets are what the page knows them by.
var (
	errOtherTeam = refusal("This Slack workspace may not sign in here [other_slack_team]")
	errNoTeam    = refusal("Slack did not say which workspace this is [no_slack_team]")
	errNoSlack   = refusal("Nobody may sign in here by another service [no_slack]")
	errSignUp    = refusal("Users are made by an administrator [no_sign_up]")
)

// refusal is an error without a full stop: Cognito adds one.
type refusal string

func (r refusal) Error() string { return string(r) }

// event is what is read of Cognito's (Amazon Cognito developer guide,
// Customizing user pool workflows with Lambda triggers).
type event struct {
	TriggerSource string `json:"triggerSource"`
	UserName      string `json:"userName"`
	Request       struct {
		UserAttributes map[string]string `json:"userAttributes"`
		Groups         groups            `json:"groupConfiguration"`
	} `json:"request"`
}

type groups struct {
	Groups        []string `json:"groupsToOverride"`
	Roles         []string `json:"iamRolesToOverride"`
	PreferredRole *string  `json:"preferredRole"`
}

// override is the answer before a token, in version 2.0 of the trigger: it
// reaches access tokens too. Groups that are left out would be taken away, so
// they are always given.
type override struct {
	Details struct {
		AccessToken struct {
			Claims map[string]string `json:"claimsToAddOrOverride"`
		} `json:"accessTokenGeneration"`
		Groups groups `json:"groupOverrideDetails"`
	} `json:"claimsAndScopeOverrideDetails"`
}

// Answer gives Cognito's event back with the answer in it. An error refuses:
// what the rules refuse, and every event that is not known.
func (r Rules) Answer(raw json.RawMessage) (map[string]json.RawMessage, error) {
	var e event
	whole := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("reading an event of Cognito: %w", err)
	}
	if err := json.Unmarshal(raw, &whole); err != nil {
		return nil, fmt.Errorf("reading an event of Cognito: %w", err)
	}
	switch {
	case e.TriggerSource == "PreSignUp_AdminCreateUser":
		return whole, nil
	case e.TriggerSource == "PreSignUp_ExternalProvider":
		return whole, r.admit(e)
	case strings.HasPrefix(e.TriggerSource, "PreSignUp_"):
		return nil, errSignUp
	case strings.HasPrefix(e.TriggerSource, "TokenGeneration_"):
		if fromElsewhere(e) {
			if err := r.admit(e); err != nil {
				return nil, err
			}
		}
		response, err := json.Marshal(r.override(e))
		if err != nil {
			return nil, fmt.Errorf("answering Cognito: %w", err)
		}
		whole["response"] = response
		return whole, nil
	}
	return nil, fmt.Errorf("there is no answer to events of %q", e.TriggerSource)
}

// fromElsewhere reports whether somebody is recognised by another service, or
// may be: such a user has an identity there, which Cognito keeps in an
// attribute that nobody can write.
func fromElsewhere(e event) bool {
	identities := strings.TrimSpace(e.Request.UserAttributes["identities"])
	return e.Request.UserAttributes["cognito:user_status"] == "EXTERNAL_PROVIDER" || (identities != "" && identities != "[]")
}

// admit refuses all but members of the one workspace. Cognito writes the
// attribute anew at each sign-in by Slack.
func (r Rules) admit(e event) error {
	given := e.Request.UserAttributes[team]
	switch {
	case r.SlackTeam == "":
		return errNoSlack
	case given == "":
		return errNoTeam
	case given != r.SlackTeam:
		return errOtherTeam
	}
	return nil
}

// roles are the groups that give one.
var roles = []string{"admin", "editor", "viewer"}

func (r Rules) override(e event) override {
	var o override
	name := e.Request.UserAttributes["email"]
	if name == "" {
		name = e.UserName
	}
	o.Details.AccessToken.Claims = map[string]string{Name: name}
	o.Details.Groups = e.Request.Groups
	hasRole := slices.ContainsFunc(e.Request.Groups.Groups, func(g string) bool { return slices.Contains(roles, g) })
	if fromElsewhere(e) && !hasRole && r.SlackRole != "" {
		o.Details.Groups.Groups = append(slices.Clone(e.Request.Groups.Groups), r.SlackRole)
	}
	return o
}
