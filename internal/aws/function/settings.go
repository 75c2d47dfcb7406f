package function

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/outbound"
)

// Settings is what a function is told by its environment. Each method reads
// one setting, which the function then must have; what is wrong is collected
// for [Settings.Err], so that all of it is told at once.
type Settings struct {
	getenv func(string) string
	wrong  []error
}

// NewSettings reads by getenv, such as [os.Getenv].
func NewSettings(getenv func(string) string) *Settings { return &Settings{getenv: getenv} }

// Err says which settings are missing or wrong, and what they should be.
func (s *Settings) Err() error { return errors.Join(s.wrong...) }

// AppTable is the name of the table of connections, reports and destinations.
func (s *Settings) AppTable() string {
	return s.required("VIZPOST_APP_TABLE", "the name of the DynamoDB table of connections, reports and destinations")
}

// RunsTable is the name of the table of runs.
func (s *Settings) RunsTable() string {
	return s.required("VIZPOST_RUNS_TABLE", "the name of the DynamoDB table of runs and deliveries")
}

// FilesBucket is the name of the bucket of exported files.
func (s *Settings) FilesBucket() string {
	return s.required("VIZPOST_FILES_BUCKET", "the name of the S3 bucket of exported files")
}

// SecretsPrefix is what the names of secrets begin with.
func (s *Settings) SecretsPrefix() string {
	const name, what = "VIZPOST_SECRETS_PREFIX", "what the names of the secrets in Secrets Manager begin with, without a slash at its ends, such as vizpost/production"
	prefix := s.required(name, what)
	if strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/") {
		s.bad(name, what)
	}
	return prefix
}

// BellURL is the address of the queue of bells.
func (s *Settings) BellURL() string {
	const name, what = "VIZPOST_BELL_QUEUE_URL", "the address of the SQS queue of bells, such as https://sqs.eu-central-1.amazonaws.com/123456789012/bells"
	address := s.required(name, what)
	if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "") {
		s.bad(name, what)
	}
	return address
}

// MailFrom is the sender of mail, and the address alone.
func (s *Settings) MailFrom() (sender, bare string) {
	const name, what = "VIZPOST_MAIL_FROM", "the sender of mail, of an identity that is verified in SES, such as Reports <reports@example.com>"
	if sender = s.required(name, what); sender == "" {
		return "", ""
	}
	_, bare, err := address.ParseNamed(sender)
	if err != nil {
		s.bad(name, what)
	}
	return sender, bare
}

// Administrators are who is told of what goes wrong where nobody else is named.
func (s *Settings) Administrators() []string {
	const name, what = "VIZPOST_ADMINS", "addresses of the administrators with commas between them, such as admin@example.com, or empty"
	admins, err := address.ParseList(s.getenv(name))
	if err != nil {
		s.bad(name, what)
	}
	return admins
}

// PublicURL is where the page is, that notices link to; "" if they link nowhere.
func (s *Settings) PublicURL() string {
	const name, what = "VIZPOST_PUBLIC_URL", "the address of the page, such as https://abc.execute-api.eu-central-1.amazonaws.com, or empty"
	if strings.TrimSpace(s.getenv(name)) == "" {
		return ""
	}
	return s.address(name, what)
}

// ConfigurationSet is the name of the one that mail is sent with.
func (s *Settings) ConfigurationSet() string {
	return s.required("VIZPOST_SES_CONFIGURATION_SET", "the name of the SES configuration set whose events the function receipts gets")
}

// SignInDomain is the address of the user pool's sign-in pages.
func (s *Settings) SignInDomain() string {
	return s.address("VIZPOST_SIGN_IN_DOMAIN", "the address of the user pool's sign-in pages, such as https://vizpost.auth.eu-central-1.amazoncognito.com")
}

// SignInIssuer is whom the user pool's tokens name as theirs.
func (s *Settings) SignInIssuer() string {
	return s.address("VIZPOST_SIGN_IN_ISSUER", "the issuer of the user pool's tokens, such as https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example")
}

// SignInClient is the page's id in the user pool.
func (s *Settings) SignInClient() string {
	return s.required("VIZPOST_SIGN_IN_CLIENT", "the id of the page's client in the user pool")
}

// SignInProviders are by whom people are recognised: "cognito" is the user pool
// itself.
func (s *Settings) SignInProviders() []string {
	const name, what = "VIZPOST_SIGN_IN_PROVIDERS", "cognito, or cognito,slack"
	switch value := s.required(name, what); value {
	case "":
		return nil
	case "cognito", "cognito,slack":
		return strings.Split(value, ",")
	default:
		s.bad(name, what)
		return nil
	}
}

// SlackTeam is the id of the Slack workspace whose members may sign in; "" when
// nobody may by Slack.
func (s *Settings) SlackTeam() string { return strings.TrimSpace(s.getenv("VIZPOST_SLACK_TEAM")) }

// SlackRole is the group that members of that workspace count as who are in
// none; "" for no group.
func (s *Settings) SlackRole() string {
	const name, what = "VIZPOST_SLACK_ROLE", "viewer, editor or none"
	switch value := s.required(name, what); value {
	case "viewer", "editor":
		return value
	case "", "none":
		return ""
	default:
		s.bad(name, what)
		return ""
	}
}

// maxExports is what a site takes at once: Tableau Cloud answers 429 above it.
const maxExports = 20

// Exports is how many run at once on a site.
func (s *Settings) Exports() int {
	return s.number("VIZPOST_EXPORTS", 1, maxExports, "how many exports run at once on a Tableau site")
}

// An export ends within a function's 15 minutes, with time to begin and to write
// what became of it.
const (
	maxExportTimeout     = 13 * time.Minute
	defaultExportTimeout = maxExportTimeout
)

// ExportTimeout is how long an export may take.
func (s *Settings) ExportTimeout() time.Duration {
	const name = "VIZPOST_EXPORT_TIMEOUT"
	value := s.getenv(name)
	if value == "" {
		return defaultExportTimeout
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Minute || d > maxExportTimeout {
		s.bad(name, "how long an export may take, from 1m to 13m")
	}
	return d
}

// leastMaxEmail has room for the text of a message, and a small picture.
const leastMaxEmail = 100_000

// MaxEmail is how many bytes an email may have as it is sent: no more than SES
// takes.
func (s *Settings) MaxEmail() int64 {
	const name = "VIZPOST_MAX_EMAIL_BYTES"
	value := s.getenv(name)
	if value == "" {
		return deliver.DefaultMaxEmail
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < leastMaxEmail || n > deliver.DefaultMaxEmail {
		s.bad(name, fmt.Sprintf("how large an email may be as it is sent, from %d to %d bytes", leastMaxEmail, deliver.DefaultMaxEmail))
	}
	return n
}

// MemoryMB is the function's memory in MB, which Lambda tells.
func (s *Settings) MemoryMB() int {
	return s.number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 128, 1<<20, "the function's memory in MB, which Lambda sets")
}

// WebhookOrigins are further origins that webhooks may have; none by default.
func (s *Settings) WebhookOrigins() []string {
	const name, what = "VIZPOST_WEBHOOK_ORIGINS", "origins with commas between them, such as https://hooks.example.com, or empty"
	origins, err := deliver.ParseOrigins(s.getenv(name))
	if err != nil {
		s.bad(name, what)
	}
	return origins
}

// Outbound is where requests may go to addresses that somebody typed in: public
// ones and those of VIZPOST_PRIVATE_NETWORKS, and never the API by which Lambda
// talks to the function. VIZPOST_CA_BUNDLE and VIZPOST_PROXY_URL say which
// authorities their certificates may also come from, and which proxy leads there.
func (s *Settings) Outbound() outbound.Policy {
	const name = "VIZPOST_PRIVATE_NETWORKS"
	networks, err := outbound.ParseNetworks(s.getenv(name))
	if err != nil {
		s.bad(name, "networks with commas between them, such as 10.0.0.0/8,fd00::/8, or empty")
	}
	policy := outbound.Policy{PrivateNetworks: networks}
	if bundle := s.getenv("VIZPOST_CA_BUNDLE"); bundle != "" {
		if policy.RootCAs, err = outbound.LoadRoots(bundle); err != nil {
			s.bad("VIZPOST_CA_BUNDLE", "certificates of authorities as PEM text, or the name of a file of them in the function's package, or empty")
		}
	}
	if proxy := s.getenv("VIZPOST_PROXY_URL"); proxy != "" {
		if policy.Proxy, err = outbound.ParseProxy(proxy); err != nil {
			s.bad("VIZPOST_PROXY_URL", "the address of a proxy, such as http://user:password@proxy.example.com:3128, or empty")
		}
	}
	if runtime, err := netip.ParseAddrPort(s.getenv("AWS_LAMBDA_RUNTIME_API")); err == nil {
		policy.BlockedAddrs = append(policy.BlockedAddrs, runtime)
	}
	return policy
}

const (
	// A connection may have died while Lambda kept the function frozen: no
	// answer is waited for longer than this.
	awsAnswer = 30 * time.Second

	// DynamoDB answers within milliseconds. The writes under a site's lease, its
	// renewal among them, go one after the other: one that hangs must end, and
	// be made again, before the lease does, and if it hangs once more too.
	databaseAnswer = 8 * time.Second

	// awsIdle is how many connections are kept to a service: the store of runs
	// makes as many requests at once.
	awsIdle = 16
)

// AWS is the configuration of clients of AWS, from what Lambda sets. With
// AWS_ENDPOINT_URL they talk to an emulator.
//
// The SDK's own loader knows many more sources, of which a function has none;
// without it a function starts sooner.
func (s *Settings) AWS() aws.Config {
	cfg := aws.Config{
		Region: s.required("AWS_REGION", "the region, which Lambda sets"),
		Credentials: credentials.NewStaticCredentialsProvider(
			s.required("AWS_ACCESS_KEY_ID", "the id of the function's credentials, which Lambda sets"),
			s.required("AWS_SECRET_ACCESS_KEY", "the secret of the function's credentials, which Lambda sets"),
			s.getenv("AWS_SESSION_TOKEN")),
		HTTPClient: awsClient(awsAnswer),
	}
	if endpoint := s.getenv("AWS_ENDPOINT_URL"); endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return cfg
}

// Database gives such a configuration the impatience that fits DynamoDB.
func Database(cfg aws.Config) aws.Config {
	cfg.HTTPClient = awsClient(databaseAnswer)
	return cfg
}

func awsClient(answer time.Duration) aws.HTTPClient {
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.ResponseHeaderTimeout, t.MaxIdleConnsPerHost = answer, awsIdle
	})
}

func (s *Settings) required(name, what string) string {
	value := strings.TrimSpace(s.getenv(name))
	if value == "" {
		s.wrong = append(s.wrong, fmt.Errorf("%s is missing: it must be %s", name, what))
	}
	return value
}

// address is a setting that is an address of https.
func (s *Settings) address(name, what string) string {
	value := s.required(name, what)
	if u, err := url.Parse(value); value != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil) {
		s.bad(name, what)
	}
	return value
}

func (s *Settings) number(name string, least, most int, what string) int {
	value := s.getenv(name)
	n, err := strconv.Atoi(value)
	switch {
	case value == "":
		s.required(name, fmt.Sprintf("%s, from %d to %d", what, least, most))
	case err != nil || n < least || n > most:
		s.bad(name, fmt.Sprintf("%s, from %d to %d", what, least, most))
	}
	return n
}

// bad notes a setting that is wrong. The value is not told: it may be another
// one's secret.
func (s *Settings) bad(name, what string) {
	s.wrong = append(s.wrong, fmt.Errorf("%s is wrong: it must be %s", name, what))
}
