package secrets_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/secrets"
	"github.com/vizpost/vizpost/internal/problem"
)

// What moto does not show: it knows no limit of versions, labels and bytes, and
// sees each write at once. See also strict.

// open gives a vault of the test's own.
func open(t *testing.T) (*secrets.Vault, *secretsmanager.Client) {
	t.Helper()
	client := secretsmanager.NewFromConfig(awstest.Start(t))
	return &secrets.Vault{Client: client, Prefix: "vizpost/" + t.Name()}, client
}

func put(t *testing.T, v *secrets.Vault, owner, version, value string) {
	t.Helper()
	if err := v.PutSecret(t.Context(), owner, version, []byte(value)); err != nil {
		t.Fatalf("putting version %s of %s: got error %v", version, owner, err)
	}
}

func drop(t *testing.T, v *secrets.Vault, owner, version string) {
	t.Helper()
	if err := v.DropSecret(t.Context(), owner, version); err != nil {
		t.Fatalf("dropping version %s of %s: got error %v", version, owner, err)
	}
}

func wantSecret(t *testing.T, v *secrets.Vault, owner, version, want string) {
	t.Helper()
	got, err := v.Secret(t.Context(), owner, version)
	if err != nil || string(got) != want {
		t.Fatalf("version %s of %s: got %q, error %v, want %q", version, owner, got, err, want)
	}
}

func wantNone(t *testing.T, v *secrets.Vault, owner, version string) {
	t.Helper()
	if _, err := v.Secret(t.Context(), owner, version); !problem.Is(err, problem.NotFound) {
		t.Fatalf("version %s of %s: got error %v, want NotFound", version, owner, err)
	}
}

// labels gives the labels of each version that has any.
func labels(t *testing.T, v *secrets.Vault, client *secretsmanager.Client, owner string) [][]string {
	t.Helper()
	out, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(v.Prefix + "/" + owner)})
	if err != nil {
		t.Fatalf("describing %s: %v", owner, err)
	}
	var all [][]string
	for labels := range maps.Values(out.VersionIdsToStages) {
		if len(labels) > 0 {
			slices.Sort(labels)
			all = append(all, labels)
		}
	}
	slices.SortFunc(all, slices.Compare)
	return all
}

func TestAVersionThatReplacesAnotherLeavesNothingOfIt(t *testing.T) {
	t.Parallel()
	v, client := open(t)
	put(t, v, "connection/c", "1", "old")
	put(t, v, "connection/c", "2", "new")
	drop(t, v, "connection/c", "1")
	wantNone(t, v, "connection/c", "1")
	wantSecret(t, v, "connection/c", "2", "new")
	want := [][]string{{"AWSCURRENT", "vizpost-version-2"}}
	if diff := cmp.Diff(want, labels(t, v, client, "connection/c")); diff != "" {
		t.Errorf("the labels are not as wanted (-want +got):\n%s", diff)
	}

	// And once more, with a version that was not the first.
	put(t, v, "connection/c", "3", "newest")
	put(t, v, "connection/c", "4", "given up")
	drop(t, v, "connection/c", "4")
	put(t, v, "connection/c", "4", "given up")
	wantSecret(t, v, "connection/c", "4", "given up")
	drop(t, v, "connection/c", "4")
	drop(t, v, "connection/c", "2")
	wantSecret(t, v, "connection/c", "3", "newest")
	want = [][]string{{"AWSCURRENT", "vizpost-version-3"}}
	if diff := cmp.Diff(want, labels(t, v, client, "connection/c")); diff != "" {
		t.Errorf("the labels are not as wanted (-want +got):\n%s", diff)
	}
}

func TestPuttingTheSameAgainMakesNoVersion(t *testing.T) {
	t.Parallel()
	v, client := open(t)
	for range 3 {
		put(t, v, "connection/c", "1", "value")
	}
	wantSecret(t, v, "connection/c", "1", "value")
	if got := labels(t, v, client, "connection/c"); len(got) != 1 {
		t.Errorf("got the versions %v, want one", got)
	}
	if err := v.PutSecret(t.Context(), "connection/c", "1", []byte("another value")); err == nil {
		t.Error("got no error when a version was to change its value")
	}
	wantSecret(t, v, "connection/c", "1", "value")
}

func TestAnOwnerWithoutVersionsIsRemoved(t *testing.T) {
	t.Parallel()
	v, client := open(t)
	put(t, v, "connection/c", "1", "value")
	drop(t, v, "connection/c", "1")
	wantNone(t, v, "connection/c", "1")
	out, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: aws.String(v.Prefix + "/connection/c")})
	if err != nil || out.DeletedDate == nil {
		t.Errorf("got %+v, error %v, want a secret that is scheduled for deletion", out, err)
	}
	drop(t, v, "connection/c", "1")
}

func TestARemovedOwnerCanBeRecovered(t *testing.T) {
	t.Parallel()
	v, client := open(t)
	put(t, v, "connection/c", "1", "value")
	for range 2 {
		if err := v.RemoveSecret(t.Context(), "connection/c"); err != nil {
			t.Fatalf("removing: got error %v", err)
		}
		wantNone(t, v, "connection/c", "1")
	}
	if _, err := client.RestoreSecret(t.Context(), &secretsmanager.RestoreSecretInput{SecretId: aws.String(v.Prefix + "/connection/c")}); err != nil {
		t.Fatalf("restoring: %v", err)
	}
	wantSecret(t, v, "connection/c", "1", "value")
}

// strict refuses, as AWS does and moto does not, to put a value into a secret
// that is scheduled for deletion; and to make one of its name, it does so with
// the error that AWS has, where moto says that the secret exists.
type strict struct{ *secretsmanager.Client }

func (c strict) removed(ctx context.Context, name *string) error {
	out, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: name})
	if err == nil && out.DeletedDate != nil {
		return &types.InvalidRequestException{Message: aws.String("the secret was marked for deletion")}
	}
	return nil
}

func (c strict) PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, o ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	if err := c.removed(ctx, in.SecretId); err != nil {
		return nil, err
	}
	return c.Client.PutSecretValue(ctx, in, o...)
}

func (c strict) CreateSecret(ctx context.Context, in *secretsmanager.CreateSecretInput, o ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error) {
	if err := c.removed(ctx, in.Name); err != nil {
		return nil, err
	}
	return c.Client.CreateSecret(ctx, in, o...)
}

func TestARemovedOwnerThatComesBackHasItsNewVersionAlone(t *testing.T) {
	t.Parallel()
	v, client := open(t)
	v.Client = strict{client}
	put(t, v, "connection/c", "1", "one")
	put(t, v, "connection/c", "2", "two")
	if err := v.RemoveSecret(t.Context(), "connection/c"); err != nil {
		t.Fatalf("removing: got error %v", err)
	}
	put(t, v, "connection/c", "3", "three")
	wantSecret(t, v, "connection/c", "3", "three")
	wantNone(t, v, "connection/c", "1")
	wantNone(t, v, "connection/c", "2")
}

func TestErrorsDoNotShowTheValue(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	put(t, v, "connection/c", "1", "value")
	const secret = "s3cret-value"
	if err := v.PutSecret(t.Context(), "connection/c", "1", []byte(secret)); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("got error %v, want one without the value", err)
	}
}

// The versions are listed with the times at which they were put; those of an owner
// that was removed, or never was, are none.
func TestVersionsAreListed(t *testing.T) {
	t.Parallel()
	v, _ := open(t)
	want := func(owner string, names ...string) {
		t.Helper()
		versions, err := v.SecretVersions(t.Context(), owner)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, version := range versions {
			got = append(got, version.Name)
			if time.Since(version.PutAt).Abs() > time.Hour {
				t.Errorf("%s was put at %v", version.Name, version.PutAt)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Errorf("got the versions %v of %s, want %v", got, owner, names)
		}
	}
	want("connection/v")
	put(t, v, "connection/v", "1", "one")
	want("connection/v", "1")
	put(t, v, "connection/v", "2", "two")
	put(t, v, "connection/v", "3", "three")
	want("connection/v", "1", "2", "3")
	drop(t, v, "connection/v", "1")
	want("connection/v", "2", "3")
	if err := v.RemoveSecret(t.Context(), "connection/v"); err != nil {
		t.Fatal(err)
	}
	want("connection/v")
}
