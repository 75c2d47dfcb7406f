// Package objects keeps exported files in Amazon S3.
package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/vizpost/vizpost/internal/problem"
	"github.com/vizpost/vizpost/internal/run"
)

const (
	// partSize is what is held in memory of a file on its way. S3 wants at
	// least 5 MiB for each part but the last, and takes 10,000 parts (Amazon S3
	// user guide, Multipart upload limits).
	partSize = 8 << 20
	maxSize  = 10_000 * partSize

	abortWithin = 10 * time.Second
)

// Client is what [Files] needs of S3; an [s3.Client] has it.
type Client interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	CreateMultipartUpload(context.Context, *s3.CreateMultipartUploadInput, ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error)
	UploadPart(context.Context, *s3.UploadPartInput, ...func(*s3.Options)) (*s3.UploadPartOutput, error)
	CompleteMultipartUpload(context.Context, *s3.CompleteMultipartUploadInput, ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error)
	AbortMultipartUpload(context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error)
}

// Files keeps exported files in a bucket. It implements [run.Files].
//
// The bucket encrypts what it keeps, and a lifecycle rule of it deletes uploads
// that were begun and never ended: a process that dies cannot.
type Files struct {
	Client Client
	Bucket string
	Prefix string // before each name; "" or ending with a slash
}

var _ run.Files = (*Files)(nil)

// Put implements [run.Files]. A file goes up in parts of 8 MiB, of which one is
// in memory at a time.
//
// It needs s3:PutObject and s3:AbortMultipartUpload on the objects.
func (f *Files) Put(ctx context.Context, name, contentType string, r io.Reader, size int64) error {
	if err := f.put(ctx, name, contentType, r, size); err != nil {
		return fmt.Errorf("storing the file %q: %w", name, err)
	}
	return nil
}

func (f *Files) put(ctx context.Context, name, contentType string, r io.Reader, size int64) error {
	if !validName(name) {
		return errors.New("this cannot be a file's name")
	}
	if size < 0 || size > maxSize {
		return fmt.Errorf("a file of %d bytes cannot be stored", size)
	}
	content := &exactly{r: r, left: size}
	part := make([]byte, min(size, partSize))
	if size > partSize {
		return f.putParts(ctx, name, contentType, content, part)
	}
	if err := content.next(part); err != nil {
		return err
	}
	_, err := f.Client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &f.Bucket, Key: f.key(name), ContentType: &contentType,
		ContentLength: aws.Int64(size), Body: bytes.NewReader(part),
	})
	return err
}

// putParts stores a file as a multipart upload. The object appears, or is
// replaced, with the last call, which is made once all of it has been read.
func (f *Files) putParts(ctx context.Context, name, contentType string, content *exactly, buffer []byte) (err error) {
	upload, err := f.Client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &f.Bucket, Key: f.key(name), ContentType: &contentType, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.abort(ctx, name, upload.UploadId))
		}
	}()

	var parts []types.CompletedPart
	for number := int32(1); content.left > 0; number++ {
		part := buffer[:min(content.left, int64(len(buffer)))]
		if err := content.next(part); err != nil {
			return err
		}
		done, err := f.Client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &f.Bucket, Key: f.key(name), UploadId: upload.UploadId, PartNumber: aws.Int32(number),
			ContentLength: aws.Int64(int64(len(part))), Body: bytes.NewReader(part),
			ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err != nil {
			return fmt.Errorf("part %d: %w", number, err)
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(number), ETag: done.ETag, ChecksumCRC32: done.ChecksumCRC32})
	}
	_, err = f.Client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &f.Bucket, Key: f.key(name), UploadId: upload.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

// abort gives up an upload, so that its parts are not kept and paid for. It
// does so also when the context has ended, which may be why.
func (f *Files) abort(ctx context.Context, name string, upload *string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortWithin)
	defer cancel()
	if _, err := f.Client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &f.Bucket, Key: f.key(name), UploadId: upload,
	}); err != nil {
		return fmt.Errorf("giving up its upload: %w", err)
	}
	return nil
}

// Open implements [run.Files]. The context bounds the reading too.
//
// It needs s3:GetObject on the objects, and s3:ListBucket on the bucket:
// without the latter, S3 answers 403 for what does not exist.
func (f *Files) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if !validName(name) {
		return nil, problem.Missing("file", name)
	}
	out, err := f.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &f.Bucket, Key: f.key(name)})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, problem.Missing("file", name)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the file %q: %w", name, err)
	}
	return out.Body, nil
}

func (f *Files) key(name string) *string { return aws.String(f.Prefix + name) }

// validName takes the names that a directory would take too.
func validName(name string) bool { return fs.ValidPath(name) && name != "." }

// exactly reads a file that must have a certain size.
type exactly struct {
	r    io.Reader
	left int64
}

// next fills p, which is at most what is left. With the last byte it makes sure
// that no other follows.
func (e *exactly) next(p []byte) error {
	n, err := io.ReadFull(e.r, p)
	e.left -= int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends %d bytes too early: %w", e.left, io.ErrUnexpectedEOF)
	}
	if err != nil || e.left > 0 {
		return err
	}
	if n, err := io.CopyN(io.Discard, e.r, 1); n != 0 {
		return errors.New("it is longer than it should be")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
