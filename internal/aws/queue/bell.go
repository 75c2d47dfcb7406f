// Package queue is the bell in Amazon SQS: a standard queue whose messages say
// that a site has work.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/vizpost/vizpost/internal/run"
)

// Client is what a [Bell] needs of SQS; an [sqs.Client] has it.
type Client interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Bell rings by a message in a queue. It implements [run.Bell].
//
// A standard queue is enough: it may deliver a message late, or twice, and a
// bell may be heard late or twice.
type Bell struct {
	Client Client
	URL    string // of the queue
}

var _ run.Bell = (*Bell)(nil)

// message is the body of a bell's message.
type message struct {
	Site string `json:"site"`
}

// Ring implements [run.Bell]. It needs sqs:SendMessage on the queue.
func (b *Bell) Ring(ctx context.Context, site string) error {
	body, err := json.Marshal(message{Site: site})
	if err != nil {
		return fmt.Errorf("ringing for a site: %w", err)
	}
	if _, err := b.Client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &b.URL, MessageBody: aws.String(string(body))}); err != nil {
		return fmt.Errorf("ringing for a site: %w", err)
	}
	return nil
}

// Site reads the site key from the body of a bell's message. A body that a
// Bell did not write is an error; receiving it again does not help.
func Site(body string) (string, error) {
	var m message
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return "", fmt.Errorf("reading a bell's message: %w", err)
	}
	if m.Site == "" {
		return "", errors.New("reading a bell's message: it names no site")
	}
	return m.Site, nil
}
