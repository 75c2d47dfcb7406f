package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// account is the AWS account that the emulator pretends to be, as its owner
// sees it. A few plain requests do here what would need two more of AWS's
// SDKs, each larger than this command.
type account struct {
	endpoint string
}

const (
	region = "eu-central-1"
	owner  = "root" // of the account, as id and as secret
)

// clients is what AWS's tools read in their environment.
func clients(endpoint string) []string {
	return []string{"AWS_ENDPOINT_URL=" + endpoint, "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_ACCESS_KEY_ID=" + owner, "AWS_SECRET_ACCESS_KEY=" + owner}
}

// direct asks the emulator without a proxy and shows redirects as they are.
var direct = &http.Client{
	Transport:     &http.Transport{},
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// request sends a request in the owner's name, whose signature the emulator
// does not check, and gives the answer, which must have the status wanted.
func (a account) request(ctx context.Context, want int, method, path, service string, header http.Header, body []byte) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if header != nil {
		req.Header = header
	}
	if service != "" {
		req.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/20060102/%s/%s/aws4_request, SignedHeaders=host, Signature=none",
			owner, region, service))
	}
	resp, err := direct.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != want {
		return nil, nil, fmt.Errorf("%s: %s", resp.Status, b)
	}
	return resp.Header, b, nil
}

// query calls a service that has AWS's query protocol, and decodes the answer
// into out.
func (a account) query(ctx context.Context, service, version, action string, in url.Values, out any) error {
	in.Set("Action", action)
	in.Set("Version", version)
	_, b, err := a.request(ctx, http.StatusOK, http.MethodPost, "/", service, formHeader(), []byte(in.Encode()))
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return xml.Unmarshal(b, out)
}

// resources gives the resources of a stack: what they are called in the
// template, and in the account.
func (a account) resources(ctx context.Context, stack string) (map[string]string, error) {
	var answer struct {
		Resources []struct {
			Template string `xml:"LogicalResourceId"`
			Account  string `xml:"PhysicalResourceId"`
		} `xml:"DescribeStackResourcesResult>StackResources>member"`
	}
	if err := a.query(ctx, "cloudformation", "2010-05-15", "DescribeStackResources", url.Values{"StackName": {stack}}, &answer); err != nil {
		return nil, fmt.Errorf("reading the stack: %w", err)
	}
	resources := map[string]string{}
	for _, r := range answer.Resources {
		resources[r.Template] = r.Account
	}
	return resources, nil
}

// verify has a domain or an address verified in SES, which on AWS takes a DNS
// record or a click.
func (a account) verify(ctx context.Context, identity string) error {
	action, name := "VerifyDomainIdentity", "Domain"
	if strings.Contains(identity, "@") {
		action, name = "VerifyEmailIdentity", "EmailAddress"
	}
	return a.query(ctx, "ses", "2010-12-01", action, url.Values{name: {identity}}, &struct{}{})
}

// users calls the user pools' API and decodes the answer into out.
func (a account) users(ctx context.Context, operation string, in map[string]any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AWSCognitoIdentityProviderService." + operation}}
	_, b, err := a.request(ctx, http.StatusOK, http.MethodPost, "/", "cognito-idp", header, body)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return json.Unmarshal(b, out)
}

// signIn signs a user in as a browser does, at the pool's own page and with
// PKCE (RFC 7636), and gives the access token. The user has chosen the password
// already.
func (a account) signIn(ctx context.Context, pool, client, email, password string) (string, error) {
	err := a.users(ctx, "AdminSetUserPassword", map[string]any{"UserPoolId": pool, "Username": email, "Password": password, "Permanent": true}, &struct{}{})
	if err != nil {
		return "", fmt.Errorf("setting the password: %w", err)
	}
	var settings struct {
		UserPoolClient struct {
			CallbackURLs       []string
			AllowedOAuthScopes []string
		}
	}
	err = a.users(ctx, "DescribeUserPoolClient", map[string]any{"UserPoolId": pool, "ClientId": client}, &settings)
	if err != nil {
		return "", fmt.Errorf("reading the settings of the sign-in: %w", err)
	}
	callbacks := settings.UserPoolClient.CallbackURLs
	if len(callbacks) == 0 {
		return "", errors.New("the user pool's client has no address to come back to")
	}

	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	form := url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {callbacks[0]}, "state": {rand.Text()},
		"scope":          {strings.Join(settings.UserPoolClient.AllowedOAuthScopes, " ")},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	if _, _, err := a.request(ctx, http.StatusOK, http.MethodGet, "/oauth2/authorize?"+form.Encode(), "", nil, nil); err != nil {
		return "", fmt.Errorf("opening the sign-in page: %w", err)
	}
	form.Set("username", email)
	form.Set("password", password)
	header, _, err := a.request(ctx, http.StatusFound, http.MethodPost, "/login", "", formHeader(), []byte(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("signing in: %w", err)
	}
	back, err := url.Parse(header.Get("Location"))
	if err != nil {
		return "", fmt.Errorf("signing in: %w", err)
	}
	if !slices.Equal(back.Query()["state"], form["state"]) {
		return "", errors.New("signing in: the answer has another state")
	}
	exchange := url.Values{"grant_type": {"authorization_code"}, "client_id": {client}, "redirect_uri": {callbacks[0]},
		"code": back.Query()["code"], "code_verifier": {verifier}}
	_, b, err := a.request(ctx, http.StatusOK, http.MethodPost, "/oauth2/token", "", formHeader(), []byte(exchange.Encode()))
	if err != nil {
		return "", fmt.Errorf("getting the token: %w", err)
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(b, &tokens); err != nil || tokens.AccessToken == "" {
		return "", fmt.Errorf("getting the token: the answer has none (%v)", err)
	}
	return tokens.AccessToken, nil
}

func formHeader() http.Header {
	return http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
}
