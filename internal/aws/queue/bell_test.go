package queue_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/awstest"
	"github.com/vizpost/vizpost/internal/aws/queue"
)

func TestWhatIsRungIsHeard(t *testing.T) {
	t.Parallel()
	client := sqs.NewFromConfig(awstest.Start(t))
	made, err := client.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(t.Name())})
	if err != nil {
		t.Fatalf("making a queue: %v", err)
	}
	bell := &queue.Bell{Client: client, URL: aws.ToString(made.QueueUrl)}
	want := map[string]bool{"10ay.online.tableau.com/acme": true, "tableau.example.com/": true, `"é" <&>/日本`: true}
	for site := range want {
		if err := bell.Ring(t.Context(), site); err != nil {
			t.Fatalf("ringing for %q: got error %v", site, err)
		}
	}

	got := map[string]bool{}
	for len(got) < len(want) {
		out, err := client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: made.QueueUrl, MaxNumberOfMessages: 10})
		if err != nil || len(out.Messages) == 0 {
			t.Fatalf("after %d messages: got %v, error %v", len(got), out, err)
		}
		for _, m := range out.Messages {
			site, err := queue.Site(aws.ToString(m.Body))
			if err != nil {
				t.Fatalf("got error %v", err)
			}
			got[site] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the sites are not as wanted (-want +got):\n%s", diff)
	}
}

func TestAQueueThatIsMissing(t *testing.T) {
	t.Parallel()
	cfg := awstest.Start(t)
	bell := &queue.Bell{Client: sqs.NewFromConfig(cfg), URL: aws.ToString(cfg.BaseEndpoint) + "/123456789012/no-such-queue"}
	if err := bell.Ring(t.Context(), "site"); err == nil {
		t.Error("got no error")
	}
}

func TestWhatIsNoBell(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "site", "{}", "[]", `{"site":""}`, `{"site":7}`, `{"site":"a"`} {
		if site, err := queue.Site(body); err == nil {
			t.Errorf("%q: got the site %q, want an error", body, site)
		}
	}
}
