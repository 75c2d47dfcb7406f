package links_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/links"
	"github.com/vizpost/vizpost/internal/aws/objects"
	"github.com/vizpost/vizpost/internal/run"
)

func TestLinkFetchesTheFile(t *testing.T) {
	t.Parallel()
	cfg := awstest.Start(t)
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	const bucket = "links"
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket), CreateBucketConfiguration: &types.CreateBucketConfiguration{
		LocationConstraint: types.BucketLocationConstraint(awstest.Region)}}); err != nil {
		t.Fatalf("making a bucket: %v", err)
	}
	files := &objects.Files{Client: client, Bucket: bucket, Prefix: "files/"}
	f := run.File{Object: "runs/R/F 1.csv", Name: "Übersicht; \"West\".csv", ContentType: "text/csv; charset=utf-8"}
	if err := files.Put(t.Context(), f.Object, "application/octet-stream", strings.NewReader("a,b\r\n"), 5); err != nil {
		t.Fatalf("storing a file: %v", err)
	}

	link, err := (&links.Links{Config: cfg, Bucket: bucket, Prefix: "files/", Now: time.Now}).Link(t.Context(), f)
	if err != nil {
		t.Fatalf("Link() = %v", err)
	}
	if origin := (&links.Links{Config: cfg, Bucket: bucket}).Origin(); !strings.HasPrefix(link, origin+"/") {
		t.Errorf("the link %s is not one of the origin %s", link, origin)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	fetcher := http.Client{Timeout: 10 * time.Second}
	resp, err := fetcher.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(body) != "a,b\r\n" {
		t.Errorf("the link gives %s, %q, %v; want the file", resp.Status, body, err)
	}
	if got := resp.Header.Get("Content-Type"); got != f.ContentType {
		t.Errorf("Content-Type %q, want %q", got, f.ContentType)
	}
	if got := resp.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename") {
		t.Errorf("Content-Disposition %q, want an attachment with a name", got)
	}
}

func TestLinkOnAWS(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	cfg := aws.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "canary-secret", "canary-session")}
	link, err := (&links.Links{Config: cfg, Bucket: "files", Prefix: "files/", Now: func() time.Time { return at }}).Link(t.Context(),
		run.File{Object: "runs/R/F.png", Name: "Overview.png", ContentType: "image/png"})
	if err != nil {
		t.Fatalf("Link() = %v", err)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.Scheme+"://"+u.Host+u.Path, "https://files.s3.eu-central-1.amazonaws.com/files/runs/R/F.png"; got != want {
		t.Errorf("the address is %s, want %s", got, want)
	}
	if got, want := (&links.Links{Config: cfg, Bucket: "files"}).Origin(), u.Scheme+"://"+u.Host; got != want {
		t.Errorf("the origin is %s, want %s", got, want)
	}
	q := u.Query()
	if q.Get("X-Amz-Expires") != "120" || q.Get("X-Amz-Date") != "20261123T090000Z" || q.Get("X-Amz-Signature") == "" ||
		q.Get("response-content-disposition") != "inline; filename=Overview.png" {
		t.Errorf("the query is %v", q)
	}
	if strings.Contains(link, "canary-secret") {
		t.Error("the address holds the secret key")
	}
}
