// Admission is the Lambda function that the user pool asks who may come in: it
// lets members of one Slack workspace in, and names the user in access tokens.
package main

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/vizpost/vizpost/internal/aws/admission"
	"github.com/vizpost/vizpost/internal/aws/function"
)

func main() { function.Main(build) }

func build(s *function.Settings, log *slog.Logger) (func(context.Context, json.RawMessage) (map[string]json.RawMessage, error), error) {
	rules := admission.Rules{SlackTeam: s.SlackTeam(), SlackRole: s.SlackRole()}
	return func(ctx context.Context, event json.RawMessage) (map[string]json.RawMessage, error) {
		answer, err := rules.Answer(event)
		if err != nil {
			log.WarnContext(ctx, "somebody was not let in", "reason", err)
			return nil, err
		}
		return answer, nil
	}, nil
}
