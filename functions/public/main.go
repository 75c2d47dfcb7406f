// Public is the Lambda function behind the routes of API Gateway that anyone
// may call: the page and the API's description. It has no data and no secrets.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/aws/function"
	"github.com/vizpost/vizpost/internal/aws/gateway"
	"github.com/vizpost/vizpost/internal/aws/links"
	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/httpapi/page"
)

func main() { function.Main(build) }

func build(s *function.Settings, log *slog.Logger) (func(context.Context, json.RawMessage) (gateway.Response, error), error) {
	now := assembly.Clock(time.Now)
	signIn := httpapi.SignIn{Domain: s.SignInDomain(), Issuer: s.SignInIssuer(), ClientID: s.SignInClient(), Providers: s.SignInProviders()}
	files := links.Links{Config: s.AWS(), Bucket: s.FilesBucket()}
	return gateway.Handler(httpapi.NewPublic(httpapi.Public{
		Page: page.Handler(signIn.Domain, files.Origin()), SignIn: signIn,
		Now: now, NewID: assembly.NewIDs(now, rand.Reader), Log: log, Version: assembly.Version(),
	})), nil
}
