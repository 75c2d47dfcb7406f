package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/vizpost/vizpost/internal/address"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/outbound"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/standalone"
	"github.com/vizpost/vizpost/internal/tableau"
)

// settings is what "vizpost serve" is told by its environment.
type settings struct {
	smtpURL         secret.Text // empty: mail goes to the outbox
	mailFrom        string      // "": the sender of the outbox
	admins          []string    // who is told where nobody else is named
	publicURL       *url.URL    // nil: none
	webhookOrigins  []string
	privateNetworks []netip.Prefix
	roots           *x509.CertPool // nil: the system's
	proxy           *url.URL       // nil: none
	exportTimeout   time.Duration
	maxEmail        int64         // bytes of an email; 0: the default
	retention       time.Duration // how long what is finished is kept; negative: for ever
	memory          int64         // bytes that the process keeps to
	maxTemporary    int64         // bytes of the exports' temporary files at once
}

// readSettings reads the environment. The error tells of all that is wrong,
// one setting a line, and holds no secret.
func readSettings(getenv func(string) string) (settings, error) {
	s := settings{smtpURL: secret.New(getenv("VIZPOST_SMTP_URL"))}
	r := settingsReader{getenv: getenv}
	if !s.smtpURL.IsZero() {
		_, err := local.NewSMTP(s.smtpURL)
		r.note("VIZPOST_SMTP_URL", err)
		if getenv("VIZPOST_MAIL_FROM") == "" {
			r.wrong = append(r.wrong, errors.New("VIZPOST_MAIL_FROM is missing: with VIZPOST_SMTP_URL set it must be the sender's address, such as reports@example.com"))
		}
	}
	read(&r, "VIZPOST_MAIL_FROM", &s.mailFrom, func(value string) (string, error) {
		_, _, err := address.ParseNamed(value)
		return value, err
	})
	read(&r, "VIZPOST_ADMINS", &s.admins, address.ParseList)
	read(&r, "VIZPOST_PUBLIC_URL", &s.publicURL, parsePublicURL)
	read(&r, "VIZPOST_WEBHOOK_ORIGINS", &s.webhookOrigins, deliver.ParseOrigins)
	read(&r, "VIZPOST_PRIVATE_NETWORKS", &s.privateNetworks, outbound.ParseNetworks)
	read(&r, "VIZPOST_CA_BUNDLE", &s.roots, outbound.LoadRoots)
	read(&r, "VIZPOST_PROXY_URL", &s.proxy, outbound.ParseProxy)
	s.retention = local.DefaultRetention
	s.memory, s.maxTemporary = defaultMemory, standalone.DefaultMaxTemporary
	s.exportTimeout = tableau.DefaultExportTimeout
	read(&r, "VIZPOST_EXPORT_TIMEOUT", &s.exportTimeout, parseExportTimeout)
	read(&r, "VIZPOST_RETENTION_DAYS", &s.retention, parseRetention)
	read(&r, "VIZPOST_MAX_EMAIL_BYTES", &s.maxEmail, parseMaxEmail)
	read(&r, "VIZPOST_MEMORY_MB", &s.memory, parseMegabytes)
	read(&r, "VIZPOST_TEMP_MB", &s.maxTemporary, parseMegabytes)
	return s, errors.Join(r.wrong...)
}

// settingsReader collects what is wrong with settings.
type settingsReader struct {
	getenv func(string) string
	wrong  []error
}

// read parses a setting into its place, unless it is not set.
func read[T any](r *settingsReader, name string, into *T, parse func(string) (T, error)) {
	value := r.getenv(name)
	if value == "" {
		return
	}
	parsed, err := parse(value)
	r.note(name, err)
	*into = parsed
}

// note names the setting that an error is of. Of a problem it takes the text
// for people alone, which speaks of no field of a request.
func (r *settingsReader) note(name string, err error) {
	if err == nil {
		return
	}
	var p *problem.Error
	if errors.As(err, &p) && len(p.Fields) > 0 {
		err = errors.New(strings.TrimSuffix(p.Fields[0].Message, "."))
	}
	r.wrong = append(r.wrong, fmt.Errorf("%s: %w", name, err))
}

// parseExportTimeout reads how long an export may take. Runs are tried for four
// hours.
func parseExportTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Minute || d > 2*time.Hour {
		return 0, errors.New("give a time from 1m to 2h, such as 45m")
	}
	return d, nil
}

// parseMaxEmail reads how large an email may be, as it is sent.
func parseMaxEmail(s string) (int64, error) {
	bytes, err := strconv.ParseInt(s, 10, 64)
	if err != nil || bytes < 100_000 || bytes > 50_000_000 {
		return 0, errors.New("give a number of bytes from 100000 to 50000000, such as 20000000")
	}
	return bytes, nil
}

// defaultMemory is what the process keeps to: many times what it usually takes.
const defaultMemory = 1 << 30

// parseMegabytes reads an amount of memory or disk, in bytes.
func parseMegabytes(s string) (int64, error) {
	mb, err := strconv.ParseInt(s, 10, 64)
	if err != nil || mb < 256 || mb > 1<<20 {
		return 0, errors.New("give a number of megabytes from 256 to 1048576, such as 2048")
	}
	return mb << 20, nil
}

// parseRetention reads for how many days what is finished is kept.
func parseRetention(s string) (time.Duration, error) {
	days, err := strconv.Atoi(s)
	if err != nil || days < 0 || days > 36_500 {
		return 0, errors.New("give a number of days, such as 90, or 0 to keep everything")
	}
	if days == 0 {
		return -1, nil
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

func parsePublicURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, errors.New("give an address without a path, such as https://vizpost.example.com")
	}
	return u, nil
}

// logLevel reads how much is logged.
func logLevel(getenv func(string) string) (slog.Level, error) {
	level := slog.LevelInfo
	if value := getenv("VIZPOST_LOG_LEVEL"); value != "" && level.UnmarshalText([]byte(value)) != nil {
		return level, errors.New("VIZPOST_LOG_LEVEL must be debug, info, warn or error")
	}
	return level, nil
}

// public is the address that notices link to, "" if there is none.
func (s settings) public() string {
	if s.publicURL == nil {
		return ""
	}
	return s.publicURL.Scheme + "://" + s.publicURL.Host
}
