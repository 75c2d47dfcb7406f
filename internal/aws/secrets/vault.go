// Package secrets keeps secrets in AWS Secrets Manager: one secret for each
// owner, and in it one version for each of the owner's versions.
package secrets

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/vizpost/vizpost/internal/connection"
	"github.com/vizpost/vizpost/internal/deliver"
	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/secret"
)

const (
	// recoveryDays is how long an operator can bring back a removed secret.
	recoveryDays = 30

	labelPrefix = "vizpost-version-"
	current     = "AWSCURRENT"
	previous    = "AWSPREVIOUS"

	// putTries bounds the steps of a first PutSecret: the secret is made or
	// restored first, and may not be seen at once by the call that follows.
	putTries = 6
	putPause = 100 * time.Millisecond
)

// Client is what a [Vault] needs of Secrets Manager; a [secretsmanager.Client]
// has it.
type Client interface {
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	ListSecretVersionIds(context.Context, *secretsmanager.ListSecretVersionIdsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretVersionIdsOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	RestoreSecret(context.Context, *secretsmanager.RestoreSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.RestoreSecretOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

// Vault keeps secrets in Secrets Manager under the name <Prefix>/<owner>. A
// version is found by a staging label of its own, so that putting one beside
// another changes nothing for those who read the other. Secrets Manager's own
// label AWSCURRENT means nothing here.
//
// A Vault is safe for concurrent use.
type Vault struct {
	Client Client
	Prefix string // such as "vizpost/production"; what an IAM policy grants is arn:…:secret:<Prefix>/*
}

var (
	_ connection.Vault = (*Vault)(nil)
	_ deliver.Vault    = (*Vault)(nil)
)

func (v *Vault) name(owner string) *string { return aws.String(v.Prefix + "/" + owner) }

func label(version string) string { return labelPrefix + version }

// versionID names a version for Secrets Manager, which wants 32 to 64
// characters. As it follows from our own name of the version, putting the same
// value once more, after an answer that got lost, makes no second version.
func versionID(version string) string {
	sum := sha256.Sum256([]byte(version))
	return hex.EncodeToString(sum[:16])
}

// PutSecret implements [connection.Vault]. To put another value under a version
// that exists is an error: a version never changes.
//
// It needs secretsmanager:PutSecretValue and, for an owner's first version,
// CreateSecret; RestoreSecret, DescribeSecret and UpdateSecretVersionStage for
// an owner that was removed before.
func (v *Vault) PutSecret(ctx context.Context, owner, version string, value []byte) error {
	if err := v.put(ctx, owner, version, value); err != nil {
		return fmt.Errorf("storing a secret: %w", err)
	}
	return nil
}

func (v *Vault) put(ctx context.Context, owner, version string, value []byte) error {
	restored := false
	for try := 1; ; try++ {
		out, err := v.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId:           v.name(owner),
			ClientRequestToken: aws.String(versionID(version)),
			SecretBinary:       value,
			VersionStages:      []string{label(version)},
		})
		switch {
		case err == nil && restored:
			// What was removed stays removed: only the new version is to be read.
			return v.keepOnly(ctx, owner, version)
		case err == nil && !slices.Contains(out.VersionStages, label(version)):
			// The version was there, but had been dropped.
			_, err = v.Client.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
				SecretId: v.name(owner), VersionStage: aws.String(label(version)), MoveToVersionId: out.VersionId})
			return err
		case err == nil || try == putTries:
			return err
		case is[*types.ResourceNotFoundException](err):
			err = v.create(ctx, owner)
		case is[*types.InvalidRequestException](err):
			_, err = v.Client.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: v.name(owner)})
			restored = true
		default:
			return err
		}
		if err != nil {
			return err
		}
		if try > 1 {
			if err := pause(ctx, putPause<<(try-2)); err != nil {
				return err
			}
		}
	}
}

// create makes a secret without a version. That there is one is no error: it
// was made at the same moment, or it was removed in between and is to be
// restored. Of the latter, AWS says InvalidRequest and moto ResourceExists.
func (v *Vault) create(ctx context.Context, owner string) error {
	_, err := v.Client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name:        v.name(owner),
		Description: aws.String("Kept by vizpost; change it there."),
	})
	if is[*types.ResourceExistsException](err) || is[*types.InvalidRequestException](err) {
		return nil
	}
	return err
}

// Secret implements [connection.Vault]. It needs secretsmanager:GetSecretValue.
func (v *Vault) Secret(ctx context.Context, owner, version string) ([]byte, error) {
	out, err := v.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId:     v.name(owner),
		VersionStage: aws.String(label(version)),
	})
	if is[*types.ResourceNotFoundException](err) || is[*types.InvalidRequestException](err) { // the latter: it was removed
		missing := problem.New(problem.NotFound, problem.CodeNotFound, "The stored secret does not exist any more. Enter it again.")
		missing.Err = err
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("reading a secret: %w", err)
	}
	return out.SecretBinary, nil
}

// SecretVersions implements [connection.Vault]. It needs
// secretsmanager:DescribeSecret and, of an owner with several versions,
// ListSecretVersionIds.
func (v *Vault) SecretVersions(ctx context.Context, owner string) ([]secret.Version, error) {
	versions, err := v.versions(ctx, owner)
	if err != nil {
		return nil, fmt.Errorf("listing the versions of a secret: %w", err)
	}
	return versions, nil
}

func (v *Vault) versions(ctx context.Context, owner string) ([]secret.Version, error) {
	known, err := v.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: v.name(owner)})
	if is[*types.ResourceNotFoundException](err) || err == nil && known.DeletedDate != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var versions []secret.Version
	for _, labels := range known.VersionIdsToStages {
		versions = append(versions, labelled(labels, aws.ToTime(known.LastChangedDate))...)
	}
	if len(versions) < 2 {
		return versions, nil
	}
	versions = nil
	in := &secretsmanager.ListSecretVersionIdsInput{SecretId: v.name(owner)}
	for {
		out, err := v.Client.ListSecretVersionIds(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, entry := range out.Versions {
			versions = append(versions, labelled(entry.VersionStages, aws.ToTime(entry.CreatedDate))...)
		}
		if aws.ToString(out.NextToken) == "" {
			return versions, nil
		}
		in.NextToken = out.NextToken
	}
}

// labelled gives the versions that labels name.
func labelled(labels []string, at time.Time) (versions []secret.Version) {
	for _, l := range labels {
		if name, ok := strings.CutPrefix(l, labelPrefix); ok {
			versions = append(versions, secret.Version{Name: name, PutAt: at})
		}
	}
	return versions
}

// DropSecret implements [connection.Vault]. An owner whose last version is
// dropped is removed, so that no secret is left over that nobody reads.
//
// It needs secretsmanager:DescribeSecret, UpdateSecretVersionStage and
// DeleteSecret.
func (v *Vault) DropSecret(ctx context.Context, owner, version string) error {
	if err := v.drop(ctx, owner, func(l string) bool { return l == label(version) }); err != nil {
		return fmt.Errorf("dropping a secret: %w", err)
	}
	return nil
}

// keepOnly drops all versions of an owner but one.
func (v *Vault) keepOnly(ctx context.Context, owner, version string) error {
	return v.drop(ctx, owner, func(l string) bool { return l != label(version) })
}

// drop takes the labels off the versions that are to be forgotten. A version
// without any label cannot be read by a label and is deleted by Secrets Manager
// in its own time.
func (v *Vault) drop(ctx context.Context, owner string, forget func(label string) bool) error {
	known, err := v.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: v.name(owner)})
	if is[*types.ResourceNotFoundException](err) || err == nil && known.DeletedDate != nil {
		return nil
	}
	if err != nil {
		return err
	}
	heir := "" // a version that is kept
	var dropped []string
	for id, labels := range known.VersionIdsToStages {
		ours := slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return !strings.HasPrefix(l, labelPrefix) })
		switch {
		case len(ours) == 0:
		case slices.ContainsFunc(ours, forget):
			dropped = append(dropped, id)
		default:
			heir = max(heir, id)
		}
	}
	for _, id := range dropped {
		labels := known.VersionIdsToStages[id]
		had := slices.Contains(labels, previous)
		if slices.Contains(labels, current) && heir != "" {
			// AWSCURRENT, which the owner's first version got by itself, can only
			// be moved. Secrets Manager then labels this one AWSPREVIOUS.
			if err := v.move(ctx, owner, current, id, heir); err != nil {
				return err
			}
			had = true
		}
		if had {
			if err := v.move(ctx, owner, previous, id, ""); err != nil {
				return err
			}
		}
		for _, l := range labels {
			if l == current || l == previous {
				continue
			}
			if err := v.move(ctx, owner, l, id, ""); err != nil {
				return err
			}
		}
	}
	if heir == "" && len(dropped) > 0 {
		return v.remove(ctx, owner)
	}
	return nil
}

// move takes a label off a version and gives it to another; to none with "".
func (v *Vault) move(ctx context.Context, owner, label, from, to string) error {
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: v.name(owner), VersionStage: aws.String(label),
		RemoveFromVersionId: aws.String(from)}
	if to != "" {
		in.MoveToVersionId = aws.String(to)
	}
	_, err := v.Client.UpdateSecretVersionStage(ctx, in)
	if is[*types.ResourceNotFoundException](err) {
		return nil
	}
	return err
}

// RemoveSecret implements [connection.Vault]. Until an operator's
// `aws secretsmanager restore-secret`, which is possible for 30 days, the
// owner has no secret.
//
// It needs secretsmanager:DeleteSecret and DescribeSecret.
func (v *Vault) RemoveSecret(ctx context.Context, owner string) error {
	if err := v.remove(ctx, owner); err != nil {
		return fmt.Errorf("removing a secret: %w", err)
	}
	return nil
}

func (v *Vault) remove(ctx context.Context, owner string) error {
	_, err := v.Client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: v.name(owner),
		RecoveryWindowInDays: aws.Int64(recoveryDays)})
	switch {
	case is[*types.ResourceNotFoundException](err):
		return nil
	case is[*types.InvalidRequestException](err):
		known, describeErr := v.Client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: v.name(owner)})
		if describeErr == nil && known.DeletedDate != nil {
			return nil // removed before
		}
	}
	return err
}

func is[T error](err error) bool {
	var t T
	return errors.As(err, &t)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
