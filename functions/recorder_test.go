package functions_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// recorder stands before the emulator and notes what each function asks of AWS,
// as permissions name it. The emulator itself knows no permissions. Who asks is
// told by the credentials: each function has some of its own.
type recorder struct {
	*httptest.Server
	mu     sync.Mutex
	made   map[access]bool
	mails  []mail
	broken func(access) string // gives the error that a request is answered with; "" for none
}

// mail is one that was handed to SES.
type mail struct {
	to   []string
	tags map[string]string
	raw  string
}

// access is one thing that a function did to one resource.
type access struct {
	function, action, resource string
}

func newRecorder(t testing.TB, emulator string) *recorder {
	t.Helper()
	target, err := url.Parse(emulator)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{made: map[access]bool{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target); p.Out.Host = p.In.Host },
		Transport: &http.Transport{},
		ModifyResponse: func(answer *http.Response) error {
			r.missing(answer)
			return aged(answer)
		},
	}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		all, err := accesses(req, body)
		if err != nil {
			t.Errorf("a request to AWS is not understood: %v", err)
		}
		r.mu.Lock()
		failure := ""
		for _, a := range all {
			r.made[a] = true
			if a.action == "ses:SendRawEmail" && strings.Contains(a.resource, ":identity/") {
				r.mails = append(r.mails, mailOf(body))
			}
			if r.broken != nil && failure == "" {
				failure = r.broken(a)
			}
		}
		r.mu.Unlock()
		if failure != "" {
			w.Header().Set("X-Amzn-Errortype", failure)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"`+failure+`","message":"The test says so."}`)
			return
		}
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// missing notes what S3 asks for before it says that an object does not exist:
// without the permission to list, it answers 403.
func (r *recorder) missing(answer *http.Response) {
	all, err := accesses(answer.Request, nil)
	if err != nil || answer.StatusCode != http.StatusNotFound {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range all {
		if bucket, _, ok := strings.Cut(a.resource, "/"); ok && a.action == "s3:GetObject" {
			r.made[access{a.function, "s3:ListBucket", bucket}] = true
		}
	}
}

// aged makes the versions of a secret a day older than the emulator says, so
// that one which was just put looks like what an edit of yesterday left.
func aged(answer *http.Response) error {
	if answer.Request.Header.Get("X-Amz-Target") != "secretsmanager.ListSecretVersionIds" || answer.StatusCode != http.StatusOK {
		return nil
	}
	var list map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
		return err
	}
	versions, _ := list["Versions"].([]any)
	for _, v := range versions {
		version, _ := v.(map[string]any)
		if at, ok := version["CreatedDate"].(float64); ok {
			version["CreatedDate"] = at - (24 * time.Hour).Seconds()
		}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// breakDown has requests answered with an error; nil ends it.
func (r *recorder) breakDown(broken func(access) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = broken
}

// all gives what was done, in order.
func (r *recorder) all() []access {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []access
	for a := range r.made {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b access) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return list
}

// keyPrefix and a function's name are the id of its credentials.
const keyPrefix = "AKID-"

// credential is what a signature says of who signed, and for which service.
var credential = regexp.MustCompile(`(AKID[\w-]*)/\d{8}/[\w-]+/(\w+)/aws4_request`)

// accesses gives what a request asks for, as the service authorization
// reference of AWS names it.
func accesses(r *http.Request, body []byte) ([]access, error) {
	signed := credential.FindStringSubmatch(r.Header.Get("Authorization") + r.URL.Query().Get("X-Amz-Credential"))
	if signed == nil {
		return nil, fmt.Errorf("%s %s is not signed", r.Method, r.URL.Path)
	}
	function, ours := strings.CutPrefix(signed[1], keyPrefix)
	if !ours {
		return nil, nil // the test itself
	}
	var all []access
	add := func(action, resource string) { all = append(all, access{function, action, resource}) }
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")

	switch service := signed[2]; service {
	case "dynamodb":
		var in struct {
			TableName, IndexName string
			RequestItems         map[string]any
			TransactItems        []map[string]struct{ TableName string }
		}
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		table := func(name string) string { return "arn:aws:dynamodb:" + region + ":" + accountID + ":table/" + name }
		switch operation {
		case "TransactWriteItems":
			for _, item := range in.TransactItems {
				for kind, what := range item {
					action := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}[kind]
					add("dynamodb:"+action, table(what.TableName))
				}
			}
		case "BatchGetItem":
			for name := range in.RequestItems {
				add("dynamodb:"+operation, table(name))
			}
		default:
			resource := table(in.TableName)
			if in.IndexName != "" {
				resource += "/index/" + in.IndexName
			}
			add("dynamodb:"+operation, resource)
		}
	case "secretsmanager":
		var in struct{ SecretId, Name string }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		add("secretsmanager:"+operation, "arn:aws:secretsmanager:"+region+":"+accountID+":secret:"+in.SecretId+in.Name+"-AbCdEf")
	case "sqs":
		var in struct{ QueueUrl string }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		add("sqs:"+operation, "arn:aws:sqs:"+region+":"+accountID+":"+in.QueueUrl[strings.LastIndex(in.QueueUrl, "/")+1:])
	case "ses", "email":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		_, domain, _ := strings.Cut(form.Get("Source"), "@")
		arn := "arn:aws:ses:" + region + ":" + accountID + ":"
		add("ses:"+form.Get("Action"), arn+"identity/"+domain)
		add("ses:"+form.Get("Action"), arn+"configuration-set/"+form.Get("ConfigurationSetName"))
		if form.Get("Source") != "reports@example.com" {
			return nil, fmt.Errorf("mail comes from %q, which the policy's condition on ses:FromAddress refuses", form.Get("Source"))
		}
	case "s3":
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		query := r.URL.Query()
		action := map[string]string{http.MethodGet: "GetObject", http.MethodPut: "PutObject", http.MethodPost: "PutObject", http.MethodDelete: "DeleteObject"}[r.Method]
		if r.Method == http.MethodDelete && query.Has("uploadId") {
			action = "AbortMultipartUpload"
		}
		if key == "" {
			return nil, fmt.Errorf("say what %s %s asks for", r.Method, r.URL)
		}
		add("s3:"+action, "arn:aws:s3:::"+bucket+"/"+key)
	default:
		return nil, fmt.Errorf("say what a request to %s asks for", service)
	}
	return all, nil
}

// mailOf reads a request of SendRawEmail, in the form of AWS's query protocol.
func mailOf(body []byte) mail {
	m := mail{tags: map[string]string{}}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return m
	}
	for n := 1; form.Has(fmt.Sprintf("Destinations.member.%d", n)); n++ {
		m.to = append(m.to, form.Get(fmt.Sprintf("Destinations.member.%d", n)))
	}
	for n := 1; form.Has(fmt.Sprintf("Tags.member.%d.Name", n)); n++ {
		m.tags[form.Get(fmt.Sprintf("Tags.member.%d.Name", n))] = form.Get(fmt.Sprintf("Tags.member.%d.Value", n))
	}
	raw, err := base64.StdEncoding.DecodeString(form.Get("RawMessage.Data"))
	if err == nil {
		m.raw = string(raw)
	}
	return m
}
