// Empty is a Lambda function that does nothing: what vizpost's functions take
// to start is measured against it.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(context.Context) error { return nil })
}
