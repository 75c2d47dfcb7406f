package outbound

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// maxBundle bounds a file of certificates. That of Mozilla's authorities has
// 200 KB.
const maxBundle = 4 << 20

// LoadRoots reads the value of VIZPOST_CA_BUNDLE: the certificates, as PEM text,
// of further authorities that a server's certificate may come from, or the name
// of a file of them. They come to those of the system.
func LoadRoots(value string) (*x509.CertPool, error) {
	text := []byte(value)
	if !strings.Contains(value, "-----BEGIN") {
		info, err := os.Stat(value)
		if err != nil {
			return nil, fmt.Errorf("this is neither PEM text nor the name of a file that can be read: %w", err)
		}
		if !info.Mode().IsRegular() || info.Size() > maxBundle {
			return nil, fmt.Errorf("%s is no file of certificates of at most %d MB", value, maxBundle>>20)
		}
		if text, err = os.ReadFile(value); err != nil {
			return nil, fmt.Errorf("reading the certificates: %w", err)
		}
	} else if !strings.Contains(strings.TrimSpace(value), "\n") {
		// A setting of one line, in which spaces or \n stand for line breaks.
		text = []byte(unfold(value))
	}
	return appendRoots(text)
}

func appendRoots(text []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil { // a system without any
		pool = x509.NewCertPool()
	}
	n := 0
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the PEM text holds a %q: leave only certificates of authorities in it", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", n+1, err)
		}
		pool.AddCert(certificate)
		n++
	}
	if n == 0 {
		return nil, errors.New("there is no certificate in it: PEM text begins with -----BEGIN CERTIFICATE-----")
	}
	if strings.Contains(string(text), "-----BEGIN") {
		return nil, fmt.Errorf("what follows certificate %d is not whole: copy the file again", n)
	}
	return pool, nil
}

// unfold gives PEM text of one line its line breaks.
func unfold(s string) string {
	s = strings.ReplaceAll(s, `\n`, "\n")
	var b strings.Builder
	for i, part := range strings.Split(s, "-----") {
		if i%2 == 1 { // BEGIN CERTIFICATE or END CERTIFICATE
			b.WriteString("-----" + part + "-----\n")
			continue
		}
		if body := strings.Fields(part); len(body) > 0 {
			b.WriteString(strings.Join(body, "\n") + "\n")
		}
	}
	return b.String()
}
