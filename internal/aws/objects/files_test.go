package objects_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/objects"
	"github.com/vizpost/vizpost/internal/problem"
)

// open gives files in a bucket of the test's own.
func open(t *testing.T) (*objects.Files, *s3.Client) {
	t.Helper()
	client := s3.NewFromConfig(awstest.Start(t))
	bucket := strings.ToLower(t.Name())
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{
		LocationConstraint: types.BucketLocationConstraint(awstest.Region)}}); err != nil {
		t.Fatalf("making a bucket: %v", err)
	}
	return &objects.Files{Client: client, Bucket: bucket, Prefix: "files/"}, client
}

func content(size int) []byte {
	b := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(b) // never fails
	return b
}

func read(t *testing.T, f *objects.Files, name string) []byte {
	t.Helper()
	r, err := f.Open(t.Context(), name)
	if err != nil {
		t.Fatalf("opening %s: got error %v", name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading %s: got error %v", name, err)
	}
	return b
}

// uploads counts the multipart uploads that were begun and not ended.
func uploads(t *testing.T, f *objects.Files, client *s3.Client) int {
	t.Helper()
	out, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &f.Bucket})
	if err != nil {
		t.Fatalf("listing uploads: %v", err)
	}
	return len(out.Uploads)
}

func TestFilesComeBack(t *testing.T) {
	t.Parallel()
	f, client := open(t)
	const part = 8 << 20
	for _, size := range []int{0, 1, 5000, part - 1, part, part + 1, 2 * part, 2*part + 12345} {
		want := content(size)
		// One byte less in each read than asked for: parts are filled all the same.
		if err := f.Put(t.Context(), "run/file.pdf", "application/pdf", iotest.HalfReader(bytes.NewReader(want)), int64(size)); err != nil {
			t.Fatalf("storing %d bytes: got error %v", size, err)
		}
		if got := read(t, f, "run/file.pdf"); !bytes.Equal(got, want) {
			t.Fatalf("of %d bytes came back %d that differ", size, len(got))
		}
		head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &f.Bucket, Key: aws.String("files/run/file.pdf")})
		if err != nil {
			t.Fatalf("looking at the object: %v", err)
		}
		if got := aws.ToString(head.ContentType); got != "application/pdf" {
			t.Errorf("got the content type %q of %d bytes", got, size)
		}
	}
	if n := uploads(t, f, client); n != 0 {
		t.Errorf("%d uploads are left over", n)
	}
}

func TestAFileIsStoredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	f, client := open(t)
	before := []byte("what the name held before")
	put := func(ctx context.Context, r io.Reader, size int64) error {
		return f.Put(ctx, "file", "text/csv", r, size)
	}
	if err := put(t.Context(), bytes.NewReader(before), int64(len(before))); err != nil {
		t.Fatalf("got error %v", err)
	}
	const part = 8 << 20
	broken := errors.New("the disk is gone")
	ended, cancel := context.WithCancel(t.Context())
	for name, try := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		size int64
		want error
	}{
		"too short, small":  {t.Context(), bytes.NewReader(content(9)), 10, io.ErrUnexpectedEOF},
		"too short, large":  {t.Context(), bytes.NewReader(content(part + 9)), part + 10, io.ErrUnexpectedEOF},
		"too long, small":   {t.Context(), bytes.NewReader(content(11)), 10, nil},
		"too long, large":   {t.Context(), bytes.NewReader(content(part + 11)), part + 10, nil},
		"fails, small":      {t.Context(), io.MultiReader(bytes.NewReader(content(5)), iotest.ErrReader(broken)), 10, broken},
		"fails, large":      {t.Context(), io.MultiReader(bytes.NewReader(content(part+5)), iotest.ErrReader(broken)), part + 10, broken},
		"fails at its end":  {t.Context(), io.MultiReader(bytes.NewReader(content(part+5)), iotest.ErrReader(broken)), part + 5, broken},
		"negative":          {t.Context(), bytes.NewReader(nil), -1, nil},
		"the context ended": {ended, io.MultiReader(bytes.NewReader(content(part+5)), callReader(cancel)), part + 5, context.Canceled},
	} {
		err := put(try.ctx, try.r, try.size)
		if err == nil || try.want != nil && !errors.Is(err, try.want) {
			t.Errorf("%s: got error %v, want %v", name, err, try.want)
		}
		if got := read(t, f, "file"); !bytes.Equal(got, before) {
			t.Errorf("%s: the name holds %d other bytes", name, len(got))
		}
	}
	if n := uploads(t, f, client); n != 0 {
		t.Errorf("%d uploads are left over", n)
	}
}

// callReader calls a function and ends.
type callReader func()

func (call callReader) Read([]byte) (int, error) {
	call()
	return 0, io.EOF
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	f, _ := open(t)
	seen := map[*byte]int{}
	f.Client = spy{f.Client.(*s3.Client), func(part []byte) { seen[&part[0]] = max(seen[&part[0]], len(part)) }}
	const size = 3*(8<<20) + 1
	if err := f.Put(t.Context(), "file", "application/pdf", bytes.NewReader(content(size)), size); err != nil {
		t.Fatalf("got error %v", err)
	}
	if len(seen) != 1 {
		t.Errorf("%d buffers were used, want one for all parts", len(seen))
	}
	for _, n := range seen {
		if n > 8<<20 {
			t.Errorf("a part of %d bytes was in memory", n)
		}
	}
}

// spy shows the memory that parts are sent from.
type spy struct {
	*s3.Client
	part func([]byte)
}

func (s spy) UploadPart(ctx context.Context, in *s3.UploadPartInput, o ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	_, _ = in.Body.(io.WriterTo).WriteTo(writerFunc(s.part)) // a bytes.Reader hands out its own memory
	_, _ = in.Body.(io.Seeker).Seek(0, io.SeekStart)
	return s.Client.UploadPart(ctx, in, o...)
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestNames(t *testing.T) {
	t.Parallel()
	f, client := open(t)
	for _, name := range []string{"", ".", "/a", "a/", "a//b", "../a", "a/../b", "a/./b"} {
		if err := f.Put(t.Context(), name, "text/csv", strings.NewReader("x"), 1); err == nil {
			t.Errorf("the name %q was taken", name)
		}
		if _, err := f.Open(t.Context(), name); !problem.Is(err, problem.NotFound) {
			t.Errorf("opening %q: got error %v, want NotFound", name, err)
		}
	}
	if _, err := f.Open(t.Context(), "missing"); !problem.Is(err, problem.NotFound) {
		t.Errorf("got error %v, want NotFound", err)
	}
	if err := f.Put(t.Context(), "run/Übersicht & more.csv", "text/csv", strings.NewReader("x"), 1); err != nil {
		t.Errorf("got error %v", err)
	}
	out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &f.Bucket})
	if err != nil {
		t.Fatalf("listing objects: %v", err)
	}
	var got []string
	for _, o := range out.Contents {
		got = append(got, aws.ToString(o.Key))
	}
	if diff := cmp.Diff([]string{"files/run/Übersicht & more.csv"}, got); diff != "" {
		t.Errorf("the objects are not as wanted (-want +got):\n%s", diff)
	}
}

func TestABucketThatIsMissingIsNoMissingFile(t *testing.T) {
	t.Parallel()
	f, _ := open(t)
	f.Bucket = "no-such-bucket"
	if _, err := f.Open(t.Context(), "file"); err == nil || problem.Is(err, problem.NotFound) {
		t.Errorf("got error %v, want one that is not NotFound", err)
	}
}
