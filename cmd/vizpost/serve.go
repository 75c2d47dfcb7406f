package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vizpost/vizpost/internal/assembly"
	"github.com/vizpost/vizpost/internal/local"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/standalone"
)

const serveText = `
vizpost serve runs vizpost on this machine, with its API and page. On a terminal
it prints the page's address with the operator's token; elsewhere, where a log may
keep what it prints, the address and where the token is kept.

Settings in the environment:

  VIZPOST_TOKEN             the operator's token, at least 20 characters that nobody can
                            guess; without it, that of --token-file, which is made if it
                            does not exist
  VIZPOST_SMTP_URL          where mail goes: smtp://user:password@host:587 or
                            smtps://user:password@host:465; without it, mail is only
                            written to the outbox folder
  VIZPOST_MAIL_FROM         the sender, such as "Reports <reports@example.com>"; required
                            with VIZPOST_SMTP_URL
  VIZPOST_ADMINS            addresses of the administrators, with commas; they are told what
                            goes wrong where a report and its connection name nobody
  VIZPOST_PUBLIC_URL        the address under which others reach this machine; notices
                            link to it
  VIZPOST_WEBHOOK_ORIGINS   further origins that webhooks may have, with commas;
                            https://hooks.slack.com is always allowed
  VIZPOST_PRIVATE_NETWORKS  networks that a Tableau or webhook address may lie in, with
                            commas, such as 10.0.0.0/8; without it only public addresses
  VIZPOST_CA_BUNDLE         a PEM file of further authorities that the certificate of a
                            Tableau or webhook server may come from
  VIZPOST_PROXY_URL         the proxy that carries the requests to them, such as
                            http://user:password@proxy.example.com:3128
  VIZPOST_EXPORT_TIMEOUT    how long Tableau may take for one export, from 1m to 2h
                            (default 30m)
  VIZPOST_MAX_EMAIL_BYTES   how large an email may be as it is sent, in bytes (default as
                            much as the mail server takes, and 10000000 for the outbox);
                            files that do not fit are left out
  VIZPOST_RETENTION_DAYS    for how many days runs, deliveries, exported files and mails in
                            the outbox are kept after they are finished (default 90); 0
                            keeps everything
  VIZPOST_MEMORY_MB         the memory that vizpost tries to keep to (default 1024); it is
                            exceeded rather than failing. GOMEMLIMIT goes before it
  VIZPOST_TEMP_MB           what exports that are not stored yet may take at once of the
                            system's folder for temporary files (default 4096)
  VIZPOST_LOG_LEVEL         debug, info (default), warn or error
`

// minToken is the length of the shortest token that is taken.
const minToken = 20

func serve(ctx context.Context, c command) error {
	f := c.flags("serve", serveText)
	addr := f.String("addr", "127.0.0.1:8080", "address to listen on")
	data := f.String("data", "data", "folder of database, key, files and outbox; made if it does not exist")
	tokenFile := f.String("token-file", "", "file of the operator's token (default \"token\" in the data folder)")
	if err := c.parse(f); err != nil {
		return err
	}
	set, err := readSettings(c.getenv)
	if err != nil {
		return err
	}
	assembly.KeepToMemory(c.getenv, set.memory)
	if err := makeDataFolder(*data); err != nil {
		return err
	}
	if err := c.closeDataFolder(*data); err != nil {
		return err
	}
	if *tokenFile == "" {
		*tokenFile = filepath.Join(*data, "token")
	}
	token, err := operatorToken(c.getenv("VIZPOST_TOKEN"), *tokenFile)
	if err != nil {
		return err
	}
	c.warnOpenToken(*tokenFile)
	v, err := standalone.Open(ctx, standalone.Config{
		DataDir: *data, SMTPURL: set.smtpURL, MailFrom: set.mailFrom,
		Administrators: set.admins, PublicURL: set.public(),
		WebhookOrigins: set.webhookOrigins, PrivateNetworks: set.privateNetworks,
		RootCAs: set.roots, Proxy: set.proxy, ExportTimeout: set.exportTimeout, MaxEmail: set.maxEmail, MaxTemporary: set.maxTemporary, Retention: set.retention, TimeZone: local.TimeZone(c.getenv("TZ"), "/etc/localtime"),
		Random: rand.Reader, Log: c.log,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return errors.Join(fmt.Errorf("listening on %s: %w; choose another with --addr", *addr, err), v.Close())
	}
	page := pageURL(listener.Addr())
	c.printAddress(page, token, *tokenFile)
	c.printf("api:     %s/v1 (described at %s/docs)\n", page, page)
	if v.Outbox != nil {
		c.printf("mail:    only to %s; set VIZPOST_SMTP_URL to send it\n", filepath.Join(*data, "outbox"))
	}
	if p, paused, err := v.Store.Paused(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(err, listener.Close(), v.Close())
	} else if paused {
		c.printf("paused:  restored from a backup of %s; nothing is sent until \"vizpost resume --data %s\", or Resume on the page\n",
			p.BackupAt.Format(time.RFC3339), *data)
	}
	if n := v.RetentionNotice(); n.Days > 0 && n.Upgraded && time.Now().Before(n.From) {
		c.printf("keeps:   runs, files and mails for %d days, and deletes older ones from %s on; VIZPOST_RETENTION_DAYS sets how long\n",
			n.Days, n.From.Format(time.DateOnly))
	}
	if warning := openToTheNetwork(listener.Addr()); warning != "" {
		_, _ = fmt.Fprintln(c.stderr, "vizpost: "+warning)
	}
	return errors.Join(serveUntil(ctx, v, listener, standalone.Web{Token: token, Hosts: hosts(listener.Addr(), set.publicURL)}), v.Close())
}

// makeDataFolder makes the data folder, if it does not exist.
func makeDataFolder(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if errors.Is(err, syscall.ENOTDIR) {
		if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
			err = errors.New("it is a file")
		}
	}
	if err != nil {
		return fmt.Errorf("the data folder %s cannot be used: %w; choose another with --data", dir, err)
	}
	return nil
}

// closeDataFolder closes a data folder that was made beforehand to the other
// users of the machine, and says so.
func (c command) closeDataFolder(dir string) error {
	wasOpen, err := local.PrivateFolder(dir)
	if wasOpen && err != nil {
		return fmt.Errorf("other users of this machine can look into the data folder %s, and it cannot be closed to them: run chmod 700 %s (%w)",
			dir, dir, err)
	}
	if wasOpen {
		_, _ = fmt.Fprintf(c.stderr, "vizpost: other users of this machine could look into the data folder %s; it has mode 0700 now\n", dir)
	}
	return err
}

// openToTheNetwork says of an address that others than this machine reach that
// what they send it can be read on the way; "" of one that they do not.
func openToTheNetwork(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsLoopback() {
		return ""
	}
	return fmt.Sprintf("%s is reached from the network over plain http, so whoever can listen there can read the operator's token. "+
		"Listen on 127.0.0.1 and put a proxy with https in front, whose address is VIZPOST_PUBLIC_URL.", a)
}

// serveUntil serves and works until the context ends.
func serveUntil(ctx context.Context, v *standalone.Vizpost, l net.Listener, w standalone.Web) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	group.Go(func() { v.Run(ctx) })
	err := standalone.Serve(ctx, l, v.Handler(w))
	stop()
	group.Wait()
	return err
}

// operatorToken gives the token of the environment, else that of the file,
// which is made if it does not exist.
func operatorToken(fromEnvironment, file string) (secret.Text, error) {
	check := func(token, where string) (secret.Text, error) {
		if len(token) < minToken || strings.ContainsAny(token, " \t\r\n") {
			return secret.Text{}, fmt.Errorf("%s: the token must have at least %d characters and no spaces", where, minToken)
		}
		if guessable(token) {
			return secret.Text{}, fmt.Errorf("%s: the token is easy to guess, since few characters are repeated in it; "+
				"make one with \"openssl rand -hex 24\"", where)
		}
		return secret.New(token), nil
	}
	if fromEnvironment != "" {
		return check(fromEnvironment, "VIZPOST_TOKEN")
	}
	b, err := os.ReadFile(file)
	if err == nil {
		return check(strings.TrimSpace(string(b)), file)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return secret.Text{}, fmt.Errorf("reading the operator's token: %w", err)
	}
	random := make([]byte, 24)
	if _, err := rand.Read(random); err != nil {
		return secret.Text{}, fmt.Errorf("making the operator's token: %w", err)
	}
	token := hex.EncodeToString(random)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return secret.Text{}, fmt.Errorf("making the folder of the operator's token: %w", err)
	}
	// Of two processes that start on one folder, one makes the token of both.
	if err := local.CreateWhole(file, []byte(token+"\n")); err != nil {
		return secret.Text{}, fmt.Errorf("writing the operator's token: %w", err)
	}
	if b, err = os.ReadFile(file); err != nil {
		return secret.Text{}, fmt.Errorf("reading the operator's token: %w", err)
	}
	return check(strings.TrimSpace(string(b)), file)
}

// variety is how many different characters a token has at least. Of a random
// token of the least length even one of digits has so many, but for one in some
// ten thousand.
const variety = 6

// guessable reports whether a token is hardly more than a repeated character or
// a repeated short text.
func guessable(token string) bool {
	different := map[rune]bool{}
	for _, r := range token {
		different[r] = true
	}
	if len(different) < variety {
		return true
	}
	for n := 1; n <= len(token)/3; n++ {
		if strings.HasPrefix(strings.Repeat(token[:n], len(token)/n+1), token) {
			return true
		}
	}
	return false
}

// printAddress prints the page's address, with the token where only a person
// sees it. What is not a terminal may keep it, as the journal of a service does.
func (c command) printAddress(page string, token secret.Text, file string) {
	if c.onTerminal() {
		c.printf("vizpost: %s/#token=%s\n", page, token.Reveal())
		return
	}
	where := "in the file " + file
	if c.getenv("VIZPOST_TOKEN") != "" {
		where = "in VIZPOST_TOKEN"
	}
	c.printf("vizpost: %s\n", page)
	c.printf("token:   %s; add /#token= and the token to the address, or paste it on the page\n", where)
}

// onTerminal reports whether what is printed goes to a terminal.
func (c command) onTerminal() bool {
	f, ok := c.stdout.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// warnOpenToken says in the log that others on this machine can read the token.
func (c command) warnOpenToken(file string) {
	if c.getenv("VIZPOST_TOKEN") != "" {
		return
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		c.log.Warn("other users of this machine can read the operator's token; make its file yours alone: chmod 600 "+file,
			"mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	}
}

// pageURL is the address of the page for a browser on this machine.
func pageURL(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "http://" + a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// hosts are the values of the Host header that mean us: a page of another name
// that resolves to this machine is not ours. public is nil where there is none.
func hosts(a net.Addr, public *url.URL) []string {
	own := []string{a.String()}
	if _, port, err := net.SplitHostPort(a.String()); err == nil {
		own = append(own, "127.0.0.1:"+port, "localhost:"+port, "[::1]:"+port)
	}
	if public != nil {
		own = append(own, public.Host)
	}
	return own
}
