package functions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/vizpost/vizpost/internal/aws/dynamo"
)

const (
	region    = "eu-central-1"
	accountID = "123456789012"
	stackName = "vizpost"
)

// object is one of JSON.
type object = map[string]any

// readTemplate reads template.yaml by the parser of cfn-lint, which knows the
// short forms of CloudFormation.
var readTemplate = sync.OnceValues(func() (object, error) {
	python := filepath.Join("..", ".venv", "bin", "python")
	b, err := exec.Command(python, "-c", "import json, sys; from cfnlint.decode import cfn_yaml; json.dump(cfn_yaml.load(sys.argv[1]), sys.stdout)",
		filepath.Join("..", "template.yaml")).Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("reading template.yaml: %w", err)
	}
	var template object
	return template, json.Unmarshal(b, &template)
})

// stack is the template with values for its parameters, and names for the
// resources that somebody asks for.
type stack struct {
	t          testing.TB
	template   object
	parameters map[string]string // in place of their defaults
	names      map[string]string // what Ref gives, by logical id; by default the logical id
}

func newStack(t testing.TB, parameters map[string]string) *stack {
	t.Helper()
	template, err := readTemplate()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"SesIdentity": "example.com", "SenderAddress": "reports@example.com", "AdminEmail": "admin@example.com"}
	for name, value := range parameters {
		all[name] = value
	}
	return &stack{t: t, template: template, parameters: all, names: map[string]string{}}
}

// at gives what lies at a path.
func (s *stack) at(path ...string) any {
	var v any = s.template
	for _, name := range path {
		o, ok := v.(object)
		if !ok {
			return nil
		}
		v = o[name]
	}
	return v
}

// of gives the resources of a type by logical id.
func (s *stack) of(kind string) map[string]object {
	found := map[string]object{}
	resources, _ := s.at("Resources").(object)
	for id, resource := range resources {
		if r, ok := resource.(object); ok && r["Type"] == kind {
			found[id], _ = r["Properties"].(object)
		}
	}
	return found
}

// none is what AWS::NoValue resolves to: it is left out.
type none struct{}

// resolve gives a value with its references and functions worked out.
func (s *stack) resolve(v any) any {
	s.t.Helper()
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, item := range v {
			if r := s.resolve(item); r != (none{}) {
				list = append(list, r)
			}
		}
		return list
	case object:
		if len(v) == 1 {
			for name, argument := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return s.call(name, argument)
				}
			}
		}
		all := object{}
		for name, value := range v {
			if r := s.resolve(value); r != (none{}) {
				all[name] = r
			}
		}
		return all
	}
	return v
}

func (s *stack) call(function string, argument any) any {
	s.t.Helper()
	switch function {
	case "Ref":
		return s.ref(argument.(string))
	case "Fn::GetAtt":
		var parts []string
		switch a := argument.(type) {
		case string:
			parts = strings.SplitN(a, ".", 2)
		case []any:
			parts = []string{a[0].(string), a[1].(string)}
		}
		if parts[1] != "Arn" {
			s.t.Fatalf("say what %v is", argument)
		}
		return s.arn(parts[0])
	case "Fn::Sub":
		text, values := "", object{}
		switch a := argument.(type) {
		case string:
			text = a
		case []any:
			text, values = a[0].(string), a[1].(object)
		}
		return regexp.MustCompile(`\$\{([^}]+)\}`).ReplaceAllStringFunc(text, func(m string) string {
			name := m[2 : len(m)-1]
			if value, ok := values[name]; ok {
				return fmt.Sprint(s.resolve(value))
			}
			if id, ok := strings.CutSuffix(name, ".Arn"); ok {
				return s.arn(id)
			}
			return fmt.Sprint(s.ref(name))
		})
	case "Fn::If":
		a := argument.([]any)
		if s.condition(s.at("Conditions", a[0].(string))) {
			return s.resolve(a[1])
		}
		return s.resolve(a[2])
	case "Fn::Join":
		a := argument.([]any)
		var parts []string
		switch list := s.resolve(a[1]).(type) {
		case []any:
			for _, item := range list {
				parts = append(parts, fmt.Sprint(item))
			}
		case string:
			parts = []string{list}
		}
		return strings.Join(parts, a[0].(string))
	}
	s.t.Fatalf("say what %s is", function)
	return nil
}

func (s *stack) condition(v any) bool {
	for name, argument := range v.(object) {
		a := argument.([]any)
		switch name {
		case "Fn::Not":
			return !s.condition(a[0])
		case "Fn::Equals":
			return s.resolve(a[0]) == s.resolve(a[1])
		}
	}
	s.t.Fatalf("say what the condition %v is", v)
	return false
}

func (s *stack) ref(name string) any {
	switch name {
	case "AWS::Region":
		return region
	case "AWS::AccountId":
		return accountID
	case "AWS::Partition":
		return "aws"
	case "AWS::URLSuffix":
		return "amazonaws.com"
	case "AWS::StackName":
		return stackName
	case "AWS::NoValue":
		return none{}
	}
	if value, ok := s.parameters[name]; ok {
		return value
	}
	if parameter, ok := s.at("Parameters", name).(object); ok {
		if value, ok := parameter["Default"]; ok {
			return fmt.Sprint(value)
		}
		s.t.Fatalf("the parameter %s has no value", name)
	}
	if value, ok := s.names[name]; ok {
		return value
	}
	if s.at("Resources", name) == nil {
		s.t.Fatalf("the template has no %s", name)
	}
	return name
}

// arn gives that of a resource.
func (s *stack) arn(id string) string {
	s.t.Helper()
	name := fmt.Sprint(s.ref(id))
	switch kind := s.at("Resources", id, "Type"); kind {
	case "AWS::DynamoDB::Table":
		return "arn:aws:dynamodb:" + region + ":" + accountID + ":table/" + name
	case "AWS::S3::Bucket":
		return "arn:aws:s3:::" + name
	case "AWS::SQS::Queue":
		return "arn:aws:sqs:" + region + ":" + accountID + ":" + name[strings.LastIndex(name, "/")+1:]
	case "AWS::Logs::LogGroup":
		return "arn:aws:logs:" + region + ":" + accountID + ":log-group:" + name + ":*"
	case "AWS::Serverless::Function":
		return "arn:aws:lambda:" + region + ":" + accountID + ":function:" + name
	case "AWS::IAM::Role":
		return "arn:aws:iam::" + accountID + ":role/" + name
	default:
		s.t.Fatalf("say what the ARN of a %v is", kind)
		return ""
	}
}

// lambda is a function of the template.
type lambda struct {
	id     string // logical id
	name   string // of its folder in functions/
	role   string // logical id
	env    map[string]string
	memory int
}

func (s *stack) functions() []lambda {
	s.t.Helper()
	var all []lambda
	for id, properties := range s.of("AWS::Serverless::Function") {
		f := lambda{id: id, env: map[string]string{}}
		f.name = strings.Trim(strings.TrimPrefix(properties["CodeUri"].(string), "functions/"), "/")
		role := properties["Role"].(object)["Fn::GetAtt"]
		switch r := role.(type) {
		case string:
			f.role, _, _ = strings.Cut(r, ".")
		case []any:
			f.role = r[0].(string)
		}
		memory, ok := properties["MemorySize"]
		if !ok {
			memory = s.at("Globals", "Function", "MemorySize")
		}
		f.memory = int(memory.(float64))
		if environment, ok := properties["Environment"].(object); ok {
			for name, value := range s.resolve(environment["Variables"]).(object) {
				f.env[name] = fmt.Sprint(value)
			}
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b lambda) int { return strings.Compare(a.name, b.name) })
	return all
}

// statement is one of a role's.
type statement struct {
	policy    string // its name
	actions   []string
	resources []string
}

func (s *stack) statements(role string) []statement {
	s.t.Helper()
	var all []statement
	for _, policy := range s.resolve(s.at("Resources", role, "Properties", "Policies")).([]any) {
		p := policy.(object)
		for _, one := range p["PolicyDocument"].(object)["Statement"].([]any) {
			o := one.(object)
			if o["Effect"] != "Allow" {
				s.t.Fatalf("%s: a statement with the effect %v", role, o["Effect"])
			}
			all = append(all, statement{p["PolicyName"].(string), texts(o["Action"]), texts(o["Resource"])})
		}
	}
	return all
}

// texts gives one text or a list of them.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var list []string
		for _, item := range v {
			list = append(list, item.(string))
		}
		return list
	}
	return nil
}

func TestTablesAreThoseOfTheStore(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	tables := s.of("AWS::DynamoDB::Table")
	if len(tables) != 2 {
		t.Errorf("got %d tables, want two", len(tables))
	}
	for id, want := range map[string]*dynamodb.CreateTableInput{"AppTable": dynamo.AppTable("x"), "RunsTable": dynamo.RunsTable("x")} {
		properties := tables[id]
		if diff := cmp.Diff(description(t, want), description(t, properties)); diff != "" {
			t.Errorf("%s is not as the store has it (-store +template):\n%s", id, diff)
		}
		if s.at("Resources", id, "DeletionPolicy") != "Retain" || s.at("Resources", id, "UpdateReplacePolicy") != "Retain" {
			t.Errorf("%s is not retained", id)
		}
		recovery, _ := properties["PointInTimeRecoverySpecification"].(object)
		if recovery["PointInTimeRecoveryEnabled"] != true {
			t.Errorf("%s cannot be recovered to a point in time", id)
		}
	}
	if got := s.at("Resources", "AppTable", "Properties", "TimeToLiveSpecification", "AttributeName"); got != dynamo.TTLAttribute {
		t.Errorf("items expire by %v, want %s", got, dynamo.TTLAttribute)
	}
}

// description gives what two definitions of a table are compared by.
func description(t *testing.T, definition any) object {
	t.Helper()
	b, err := json.Marshal(definition)
	if err != nil {
		t.Fatal(err)
	}
	var all object
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	attributes := map[string]any{}
	for _, a := range all["AttributeDefinitions"].([]any) {
		attributes[a.(object)["AttributeName"].(string)] = a.(object)["AttributeType"]
	}
	indexes := map[string]object{}
	for _, i := range all["GlobalSecondaryIndexes"].([]any) {
		o := i.(object)
		projection := o["Projection"].(object)
		indexes[o["IndexName"].(string)] = object{"KeySchema": o["KeySchema"], "Projection": projection["ProjectionType"]}
	}
	return object{"BillingMode": all["BillingMode"], "KeySchema": all["KeySchema"], "attributes": attributes, "indexes": indexes}
}

// What nobody signed in for, and what only moves work about, reads no secret.
func TestWhoReadsSecrets(t *testing.T) {
	t.Parallel()
	s := newStack(t, map[string]string{"SubnetIds": "subnet-1"})
	for _, f := range s.functions() {
		reads := f.name == "api" || f.name == "export"
		got := false
		for _, statement := range s.statements(f.role) {
			for _, action := range statement.actions {
				got = got || action == "secretsmanager:GetSecretValue" || action == "secretsmanager:BatchGetSecretValue" ||
					strings.HasPrefix(action, "kms:") || strings.Contains(action, "*")
			}
			for _, resource := range statement.resources {
				if resource == "*" && !slices.ContainsFunc(statement.actions, func(a string) bool { return strings.HasPrefix(a, "ec2:") }) {
					t.Errorf("%s: %v are allowed on everything", f.name, statement.actions)
				}
			}
		}
		if got != reads {
			t.Errorf("%s: reads secrets %v, want %v", f.name, got, reads)
		}
	}
}

func TestEachFunctionHasARoleAndALogOfItsOwn(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	taken := map[string]bool{}
	for id, properties := range s.of("AWS::Serverless::Function") {
		log, _ := properties["LoggingConfig"].(object)
		group, _ := s.resolve(log["LogGroup"]).(string)
		for _, own := range []string{fmt.Sprint(s.resolve(properties["Role"])), group} {
			if own == "" || taken[own] {
				t.Errorf("%s shares %q", id, own)
			}
			taken[own] = true
		}
	}
	for id, properties := range s.of("AWS::Logs::LogGroup") {
		if s.resolve(properties["RetentionInDays"]) != "30" {
			t.Errorf("%s keeps its entries for %v days", id, properties["RetentionInDays"])
		}
	}
	if len(taken) != 2*7 {
		t.Errorf("got %d roles and logs, want those of seven functions", len(taken))
	}
}

// A queue that shows a message again before its function has ended would have
// it worked on twice; Lambda refuses to connect the two.
func TestTimeoutsFitEachOther(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	timeout := s.at("Resources", "ExportFunction", "Properties", "Timeout").(float64)
	if visible := s.at("Resources", "Bells", "Properties", "VisibilityTimeout").(float64); visible < timeout {
		t.Errorf("bells are heard again after %v s, before the function's %v s have passed", visible, timeout)
	}
	for _, id := range []string{"ApiFunction", "PublicFunction"} {
		if timeout := s.at("Resources", id, "Properties", "Timeout").(float64); timeout > 30 {
			t.Errorf("%s may take %v s; API Gateway waits 30", id, timeout)
		}
	}
	if timeout := s.at("Resources", "AdmissionFunction", "Properties", "Timeout").(float64); timeout > 5 {
		t.Errorf("AdmissionFunction may take %v s; Cognito waits 5", timeout)
	}
}

// MFA can be required of the pool's own users, and is asked of nobody who did
// not set it up until it is.
func TestMFA(t *testing.T) {
	t.Parallel()
	for want, parameters := range map[string]map[string]string{"OPTIONAL": nil, "ON": {"Mfa": "ON"}} {
		s := newStack(t, parameters)
		users := s.resolve(s.at("Resources", "Users", "Properties")).(object)
		if diff := cmp.Diff(object{"MfaConfiguration": want, "EnabledMfas": []any{"SOFTWARE_TOKEN_MFA"}},
			object{"MfaConfiguration": users["MfaConfiguration"], "EnabledMfas": users["EnabledMfas"]}); diff != "" {
			t.Errorf("with %v (-want +got):\n%s", parameters, diff)
		}
	}
}

// The temporary files of exports have room on the function's disk, with some left
// for whatever else lies there.
func TestExportsHaveRoom(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("export/main.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`scratchBytes = (\d+) << 20`).FindSubmatch(source)
	if m == nil {
		t.Fatal("functions/export does not say how much its temporary files may take")
	}
	taken, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	size, ok := newStack(t, nil).at("Resources", "ExportFunction", "Properties", "EphemeralStorage", "Size").(float64)
	if !ok || taken > size-100 {
		t.Errorf("temporary files may take %g MB of %g MB, want 100 MB left", taken, size)
	}
}
