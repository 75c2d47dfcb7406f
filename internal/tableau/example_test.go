package tableau_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/vizpost/vizpost/internal/content"
	"github.com/vizpost/vizpost/internal/secret"
	"github.com/vizpost/vizpost/internal/tableau"
	"github.com/vizpost/vizpost/internal/tableau/tableautest"
)

// From an address that somebody pasted to a file that is what it says it is.
func Example() {
	ctx := context.Background()
	server := tableautest.New(tableautest.Options{})
	name, value := server.PAT()

	client, err := tableau.NewClient("https://tableau.example.com", tableau.Options{
		Transport: tableautest.Transport{Handler: server}, // outbound.NewTransport(policy) to reach a real one
	})
	if err != nil {
		log.Fatal(err)
	}

	// One sign-in for everyone who uses the token: another would end this session.
	session, err := client.SignIn(ctx, tableau.Credential{
		Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(value),
	}, server.Site())
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = client.SignOut(ctx, session) }()

	address, err := tableau.ParseAddress("https://tableau.example.com/#/site/demo/views/Superstore/SalesbyRegion?Region=West&:iid=1")
	if err != nil {
		log.Fatal(err)
	}
	target, err := client.Resolve(ctx, session, address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(target.View.ContentURL, target.View.WorkbookName)

	request := tableau.ExportRequest{
		ViewID: target.View.ID, Format: tableau.PDF, Filters: address.Filters,
		PDF: tableau.PDFOptions{PageSize: "A4", Orientation: "Landscape"},
	}
	var file bytes.Buffer
	info, err := client.Export(ctx, session, request, &file)
	if err != nil {
		log.Fatal(err)
	}
	checked, err := content.Check(ctx, bytes.NewReader(file.Bytes()), info.Bytes, string(request.Format))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.ContentType, checked.Pages)

	// Output:
	// Superstore/sheets/SalesbyRegion Superstore
	// application/pdf 1
}

// What a caller does with an error: the client itself tries nothing again.
func ExampleError() {
	ctx := context.Background()
	server := tableautest.New(tableautest.Options{})
	name, value := server.PAT()
	client, err := tableau.NewClient("https://tableau.example.com", tableau.Options{Transport: tableautest.Transport{Handler: server}})
	if err != nil {
		log.Fatal(err)
	}
	signIn := func() tableau.Session {
		session, err := client.SignIn(ctx, tableau.Credential{Method: tableau.PersonalAccessToken, TokenName: name, Secret: secret.New(value)}, server.Site())
		if err != nil {
			log.Fatal(err)
		}
		return session
	}
	session := signIn()

	for _, trouble := range []tableautest.Fault{
		{Kind: tableautest.FaultTooMany, RetryAfter: tableautest.Duration(40 * time.Second)},
		{Kind: tableautest.FaultSessionEnded},
	} {
		trouble.Route = "any"
		if err := server.AddFault(trouble); err != nil {
			log.Fatal(err)
		}
	}
	for {
		page, err := client.Views(ctx, session, 1)
		var failed *tableau.Error
		switch {
		case err == nil:
			fmt.Println("read", len(page.Views) > 0)
			return
		case !errors.As(err, &failed):
			log.Fatal(err)
		case failed.Cause == tableau.SessionEnded:
			fmt.Println("sign in anew, once")
			session = signIn()
		case failed.Retry:
			fmt.Println(failed.Message(), "Wait", max(failed.RetryAfter, 5*time.Second))
		default:
			log.Fatal(failed.Message())
		}
	}

	// Output:
	// Tableau is busy with too many requests at once. vizpost tries again later. Wait 40s
	// sign in anew, once
	// read true
}

func ExampleParseAddress() {
	for _, pasted := range []string{
		"https://10ay.online.tableau.com/#/site/acme/views/Superstore/Overview?Region=West,East&:iid=2",
		"https://tableau.example.com/t/Marketing/views/Superstore/Overview.pdf",
		"Superstore/Overview",
	} {
		address, err := tableau.ParseAddress(pasted)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("server %q, site %q: %s %v %q\n", address.ServerURL, address.Site, address.ContentURL, address.Filters, address.FormatHint)
	}

	// Output:
	// server "https://10ay.online.tableau.com", site "acme": Superstore/sheets/Overview [{Region [West East]}] ""
	// server "https://tableau.example.com", site "Marketing": Superstore/sheets/Overview [] "pdf"
	// server "", site "": Superstore/sheets/Overview [] ""
}
