// Package links gives addresses at which a file is fetched from S3 directly,
// for some minutes and without credentials. A Lambda function can answer with
// 6 MB at most, and a file may be larger.
package links

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/vizpost/vizpost/internal/httpapi"
	"github.com/vizpost/vizpost/internal/run"
)

// lifetime is how long an address works: long enough to follow it.
const lifetime = 2 * time.Minute

// Links signs addresses of the objects in a bucket. It calls nothing: the
// signature is made here, and S3 checks it when the address is used. It needs
// the permission to read the objects.
type Links struct {
	Config aws.Config
	Bucket string
	Prefix string // that package objects puts before names
	Now    func() time.Time
}

var _ httpapi.FileLinks = (*Links)(nil)

// Origin is where the addresses lead, such as
// https://bucket.s3.eu-central-1.amazonaws.com.
func (l *Links) Origin() string {
	if endpoint := aws.ToString(l.Config.BaseEndpoint); endpoint != "" {
		return strings.TrimSuffix(endpoint, "/")
	}
	return "https://" + l.Bucket + ".s3." + l.Config.Region + ".amazonaws.com"
}

// Link implements [httpapi.FileLinks].
func (l *Links) Link(ctx context.Context, f run.File) (string, error) {
	credentials, err := l.Config.Credentials.Retrieve(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the function's credentials: %w", err)
	}
	address := l.Origin() + "/"
	if aws.ToString(l.Config.BaseEndpoint) != "" {
		address += l.Bucket + "/"
	}
	disposition := "attachment"
	if f.ContentType == "image/png" {
		disposition = "inline"
	}
	query := url.Values{
		"X-Amz-Expires":                {strconv.Itoa(int(lifetime.Seconds()))},
		"response-content-type":        {f.ContentType},
		"response-content-disposition": {mime.FormatMediaType(disposition, map[string]string{"filename": f.Name})},
	}
	object := (&url.URL{Path: l.Prefix + f.Object}).EscapedPath()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+object+"?"+query.Encode(), nil)
	if err != nil {
		return "", errors.New("the bucket's address cannot be made")
	}
	// S3 takes no hash of a body with an address that is signed beforehand, and
	// no second escaping of paths (AWS Signature Version 4, Amazon S3).
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, credentials, req, "UNSIGNED-PAYLOAD", "s3", l.Config.Region, l.Now(),
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		return "", fmt.Errorf("signing a file's address: %w", err)
	}
	return signed, nil
}
