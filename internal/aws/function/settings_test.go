package function_test

import (
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vizpost/vizpost/internal/aws/function"
	"github.com/vizpost/vizpost/internal/outbound"
)

// environment is a whole and right one.
func environment() map[string]string {
	return map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_SESSION_TOKEN": "session",
		"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
		"VIZPOST_APP_TABLE": "app", "VIZPOST_RUNS_TABLE": "runs", "VIZPOST_FILES_BUCKET": "files", "VIZPOST_SECRETS_PREFIX": "vizpost/production",
		"VIZPOST_BELL_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/bells",
		"VIZPOST_MAIL_FROM":      "Reports <reports@example.com>", "VIZPOST_SES_CONFIGURATION_SET": "vizpost", "VIZPOST_EXPORTS": "20",
		"VIZPOST_SIGN_IN_DOMAIN": "https://x.auth.eu-central-1.amazoncognito.com", "VIZPOST_SIGN_IN_ISSUER": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_X",
		"VIZPOST_SIGN_IN_CLIENT": "client", "VIZPOST_SIGN_IN_PROVIDERS": "cognito,slack", "VIZPOST_SLACK_TEAM": "T1", "VIZPOST_SLACK_ROLE": "viewer",
		"VIZPOST_ADMINS": "Ana <admin@example.com>, ben@example.com", "VIZPOST_PUBLIC_URL": "https://x.execute-api.eu-central-1.amazonaws.com",
		"VIZPOST_PRIVATE_NETWORKS": "10.0.0.0/8, fd00::/8", "VIZPOST_WEBHOOK_ORIGINS": "https://hooks.example.com, http://10.1.2.3:8080",
	}
}

// all is what a function with all settings reads.
type all struct {
	AppTable, RunsTable, FilesBucket, SecretsPrefix, BellURL string
	Sender, SenderAddress, ConfigurationSet                  string
	Exports, MemoryMB                                        int
	WebhookOrigins, Administrators                           []string
	PublicURL                                                string
	ExportTimeout                                            time.Duration
	MaxEmail                                                 int64
	SignInDomain, SignInIssuer, SignInClient                 string
	SignInProviders                                          []string
	SlackTeam, SlackRole                                     string
	Outbound                                                 outbound.Policy
	Region, Endpoint                                         string
}

func read(environment map[string]string) (all, error) {
	return function.Build(func(s *function.Settings, _ *slog.Logger) (all, error) {
		a := all{AppTable: s.AppTable(), RunsTable: s.RunsTable(), FilesBucket: s.FilesBucket(), SecretsPrefix: s.SecretsPrefix(),
			BellURL: s.BellURL(), ConfigurationSet: s.ConfigurationSet(), Exports: s.Exports(), ExportTimeout: s.ExportTimeout(), MaxEmail: s.MaxEmail(), MemoryMB: s.MemoryMB(),
			WebhookOrigins: s.WebhookOrigins(), Administrators: s.Administrators(), PublicURL: s.PublicURL(), Outbound: s.Outbound(),
			SignInDomain: s.SignInDomain(), SignInIssuer: s.SignInIssuer(), SignInClient: s.SignInClient(), SignInProviders: s.SignInProviders(),
			SlackTeam: s.SlackTeam(), SlackRole: s.SlackRole()}
		a.Sender, a.SenderAddress = s.MailFrom()
		cfg := s.AWS()
		a.Region = cfg.Region
		if cfg.BaseEndpoint != nil {
			a.Endpoint = *cfg.BaseEndpoint
		}
		return a, nil
	}, func(name string) string { return environment[name] }, slog.New(slog.DiscardHandler))
}

func TestSettings(t *testing.T) {
	t.Parallel()
	environment := environment()
	environment["AWS_ENDPOINT_URL"], environment["VIZPOST_MAX_EMAIL_BYTES"] = "http://127.0.0.1:4566", "5000000"
	got, err := read(environment)
	if err != nil {
		t.Fatalf("got error %v", err)
	}
	want := all{
		AppTable: "app", RunsTable: "runs", FilesBucket: "files", SecretsPrefix: "vizpost/production",
		BellURL: "https://sqs.eu-central-1.amazonaws.com/123456789012/bells",
		Sender:  "Reports <reports@example.com>", SenderAddress: "reports@example.com", ConfigurationSet: "vizpost",
		Exports: 20, ExportTimeout: 13 * time.Minute, MaxEmail: 5_000_000, MemoryMB: 1024, WebhookOrigins: []string{"https://hooks.example.com", "http://10.1.2.3:8080"},
		Administrators: []string{"admin@example.com", "ben@example.com"}, PublicURL: "https://x.execute-api.eu-central-1.amazonaws.com",
		Outbound: outbound.Policy{
			PrivateNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
			BlockedAddrs:    []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9001")},
		},
		SignInDomain: "https://x.auth.eu-central-1.amazoncognito.com", SignInIssuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_X",
		SignInClient: "client", SignInProviders: []string{"cognito", "slack"}, SlackTeam: "T1", SlackRole: "viewer",
		Region: "eu-central-1", Endpoint: "http://127.0.0.1:4566",
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, netip.AddrPort{})); diff != "" {
		t.Errorf("the settings are not as wanted (-want +got):\n%s", diff)
	}
}

func TestSettingsThatMayBeMissing(t *testing.T) {
	t.Parallel()
	environment := environment()
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "VIZPOST_PRIVATE_NETWORKS", "VIZPOST_WEBHOOK_ORIGINS", "VIZPOST_SLACK_TEAM"} {
		delete(environment, name)
	}
	environment["VIZPOST_SLACK_ROLE"] = "none"
	got, err := read(environment)
	if got.MaxEmail != 10_000_000 {
		t.Errorf("got %d bytes for an email, want what SES takes", got.MaxEmail)
	}
	if err != nil || got.SlackTeam+got.SlackRole != "" || len(got.WebhookOrigins)+len(got.Outbound.PrivateNetworks)+len(got.Outbound.BlockedAddrs) > 0 || got.Endpoint != "" {
		t.Errorf("got %+v, error %v; want none of them", got, err)
	}
}

// What is wrong is told by name, with what would be right, all at once, and
// without the value.
func TestSettingsThatAreWrong(t *testing.T) {
	t.Parallel()
	wrong := map[string][]string{
		"AWS_REGION":                      {""},
		"AWS_ACCESS_KEY_ID":               {""},
		"AWS_SECRET_ACCESS_KEY":           {""},
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": {"", "canary", "64"},
		"VIZPOST_APP_TABLE":               {"", "  "},
		"VIZPOST_RUNS_TABLE":              {""},
		"VIZPOST_FILES_BUCKET":            {""},
		"VIZPOST_SECRETS_PREFIX":          {"", "/canary", "canary/"},
		"VIZPOST_BELL_QUEUE_URL":          {"", "canary", "https://canary.example.com/", "https://canary\x7f/x"},
		"VIZPOST_MAIL_FROM":               {"", "canary", "canary <canary>"},
		"VIZPOST_SES_CONFIGURATION_SET":   {""},
		"VIZPOST_ADMINS":                  {"canary", "a@example.com,canary@localhost"},
		"VIZPOST_PUBLIC_URL":              {"canary", "http://canary.example.com"},
		"VIZPOST_EXPORTS":                 {"", "0", "21", "canary", "8.5"},
		"VIZPOST_EXPORT_TIMEOUT":          {"canary", "13", "14m", "59s", "-5m"},
		"VIZPOST_MAX_EMAIL_BYTES":         {"canary", "10MB", "99999", "10000001"},
		"VIZPOST_SIGN_IN_DOMAIN":          {"", "canary", "http://canary.example.com", "https://canary@example.com", "https://"},
		"VIZPOST_SIGN_IN_ISSUER":          {"", "canary", "https://example.com/?canary"},
		"VIZPOST_SIGN_IN_CLIENT":          {""},
		"VIZPOST_SIGN_IN_PROVIDERS":       {"", "canary", "slack", "cognito,canary"},
		"VIZPOST_SLACK_ROLE":              {"", "canary", "admin"},
		"VIZPOST_PRIVATE_NETWORKS":        {"canary", "10.0.0.1/8"},
		"VIZPOST_CA_BUNDLE":               {"canary.pem", "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----", "/"},
		"VIZPOST_PROXY_URL":               {"canary", "socks5://canary:1080", "http://canary:canary@proxy.example.com:port", "http://proxy.example.com/canary"},
		"VIZPOST_WEBHOOK_ORIGINS":         {"canary", "https://canary.example.com/path", "ftp://canary.example.com", "https://canary@example.com"},
	}
	for name, values := range wrong {
		for _, value := range values {
			environment := environment()
			environment[name] = value
			_, err := read(environment)
			if err == nil {
				t.Errorf("%s=%q: got no error", name, value)
				continue
			}
			for _, want := range []string{name + " is ", ": it must be "} {
				if strings.Count(err.Error(), want) != 1 {
					t.Errorf("%s=%q: got %q, want %q in it once", name, value, err, want)
				}
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("%s=%q: got %q, which tells the value", name, value, err)
			}
		}
	}

	_, err := read(nil)
	for name := range maps.Keys(wrong) {
		optional := slices.Contains([]string{"VIZPOST_PRIVATE_NETWORKS", "VIZPOST_CA_BUNDLE", "VIZPOST_PROXY_URL", "VIZPOST_WEBHOOK_ORIGINS",
			"VIZPOST_ADMINS", "VIZPOST_PUBLIC_URL", "VIZPOST_EXPORT_TIMEOUT", "VIZPOST_MAX_EMAIL_BYTES"}, name)
		if err == nil || strings.Contains(err.Error(), name) == optional {
			t.Errorf("without any setting: got %v, want %s in it: %v", err, name, !optional)
		}
	}
}

func TestBuildThatFails(t *testing.T) {
	t.Parallel()
	failure := errors.New("it cannot be")
	_, err := function.Build(func(*function.Settings, *slog.Logger) (int, error) { return 0, failure },
		func(string) string { return "" }, slog.New(slog.DiscardHandler))
	if !errors.Is(err, failure) {
		t.Errorf("got error %v, want %v", err, failure)
	}
}
