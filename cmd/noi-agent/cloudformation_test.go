package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/internal/strictyaml"
)

// anyValue is YAML of any shape: map[string]any, []any or a text.
type anyValue struct{ v any }

// UnmarshalNode implements strictyaml.Unmarshaler.
func (a *anyValue) UnmarshalNode(n strictyaml.Node) error {
	a.v = treeOf(n)
	return nil
}

func treeOf(n strictyaml.Node) any {
	switch n.Kind() {
	case strictyaml.KindMap:
		m := map[string]any{}
		keys, values := n.Entries()
		for i, key := range keys {
			m[key] = treeOf(values[i])
		}
		return m
	case strictyaml.KindList:
		list := []any{}
		for _, item := range n.Items() {
			list = append(list, treeOf(item))
		}
		return list
	default:
		return n.Text()
	}
}

// stack is a CloudFormation template.
type stack struct {
	Version     string   `yaml:"AWSTemplateFormatVersion"`
	Description string   `yaml:"Description"`
	Parameters  anyValue `yaml:"Parameters"`
	Conditions  anyValue `yaml:"Conditions"`
	Resources   anyValue `yaml:"Resources"`
	Outputs     anyValue `yaml:"Outputs"`
}

func mustStack(t *testing.T) *stack {
	t.Helper()
	s := new(stack)
	if _, faults := strictyaml.Decode(clitest.FileText(t, templateFile), s); len(faults) > 0 {
		t.Fatal(faults)
	}
	return s
}

// under returns the value under these keys in nested maps.
func under(t *testing.T, v any, keys ...string) any {
	t.Helper()
	for _, key := range keys {
		m, ok := v.(map[string]any)
		if !ok || m[key] == nil {
			t.Fatalf("no %s of %v", key, keys)
		}
		v = m[key]
	}
	return v
}

// walk calls see with each key and value of every map in v.
func walk(v any, see func(key string, value any)) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			see(key, value)
			walk(value, see)
		}
	case []any:
		for _, item := range v {
			walk(item, see)
		}
	}
}

// The template is strict YAML without tags, and contains everything that it refers to.
func TestCloudFormationTemplateHoldsTogether(t *testing.T) {
	s := mustStack(t)
	parameters, conditions, resources := under(t, s.Parameters.v).(map[string]any), under(t, s.Conditions.v).(map[string]any), under(t, s.Resources.v).(map[string]any)
	known := func(name string) bool {
		return resources[name] != nil || parameters[name] != nil || strings.HasPrefix(name, "AWS::")
	}
	filled := regexp.MustCompile(`\$\{([^}]+)\}`)
	refs := 0
	check := func(key string, value any) {
		switch key {
		case "Ref":
			refs++
			if name, _ := value.(string); !known(name) {
				t.Errorf("Ref to %v, which does not exist", value)
			}
		case "Fn::If":
			list, _ := value.([]any)
			if name, _ := list[0].(string); len(list) != 3 || conditions[name] == nil {
				t.Errorf("If %v, which does not exist", value)
			}
		case "Fn::GetAtt":
			list, _ := value.([]any)
			if name, _ := list[0].(string); len(list) != 2 || resources[name] == nil {
				t.Errorf("GetAtt of %v, which does not exist", value)
			}
		case "Fn::Sub":
			text, _ := value.(string)
			for _, m := range filled.FindAllStringSubmatch(text, -1) {
				if !known(m[1]) {
					t.Errorf("Sub of %s, which does not exist", m[1])
				}
			}
		case "Condition", "DependsOn":
			if name, isName := value.(string); isName && conditions[name] == nil && resources[name] == nil {
				t.Errorf("%s %s does not exist", key, name)
			}
		}
	}
	for _, part := range []any{s.Conditions.v, s.Resources.v, s.Outputs.v} {
		walk(part, check)
	}
	if s.Version != "2010-09-09" || refs < 10 || len(resources) < 10 {
		t.Errorf("version %s, %d references, %d resources", s.Version, refs, len(resources))
	}
	for name, r := range resources {
		if kind, _ := under(t, r, "Type").(string); !strings.HasPrefix(kind, "AWS::") {
			t.Errorf("%s is of type %q", name, kind)
		}
	}
}

// The function in the template is consumer.py, and the publisher has the permission for one action on one topic.
func TestCloudFormationTemplateHasTheConsumerAndTheLeastRight(t *testing.T) {
	s := mustStack(t)
	code, _ := under(t, s.Resources.v, "ConsumerFunction", "Properties", "Code", "ZipFile").(string)
	if strings.TrimSpace(code) != strings.TrimSpace(string(clitest.FileText(t, consumerFile))) {
		t.Error("the function in the template is not consumer.py")
	}
	statements, _ := under(t, s.Resources.v, "PublishPolicy", "Properties", "PolicyDocument", "Statement").([]any)
	if len(statements) != 1 || under(t, statements[0], "Action") != "sns:Publish" || !isTopic(under(t, statements[0], "Resource")) {
		t.Errorf("the publisher may %v", statements)
	}
	for _, part := range []any{s.Resources.v, s.Outputs.v} {
		walk(part, func(key string, value any) {
			if value == "*" || key == "Type" && value == "AWS::IAM::AccessKey" {
				t.Errorf("%s: %v", key, value)
			}
		})
	}
}

// isTopic reports whether a value is the ARN of the topic, both of one that the stack makes and of an existing one.
func isTopic(v any) bool {
	text := fmt.Sprint(v)
	return strings.HasPrefix(text, "map[Fn::If:[MakeTopic map[Ref:Topic] map[Fn::Sub:arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${TopicName}]")
}

// Two stacks in two regions of one account work together, and so does a stack that is deployed again with the topic
// that it had left. Names of IAM are common to all regions, and every retained resource has a condition.
func TestCloudFormationTemplateCanBeDeployedTwice(t *testing.T) {
	s := mustStack(t)
	for name, r := range under(t, s.Resources.v).(map[string]any) {
		kind, _ := under(t, r, "Type").(string)
		properties, _ := r.(map[string]any)["Properties"].(map[string]any)
		for _, key := range []string{"ManagedPolicyName", "UserName", "RoleName", "GroupName", "InstanceProfileName"} {
			if strings.HasPrefix(kind, "AWS::IAM::") && properties[key] != nil {
				t.Errorf("%s has a %s, which a stack in a second region cannot have", name, key)
			}
		}
		if r := r.(map[string]any); r["DeletionPolicy"] == "Retain" && r["Condition"] == nil {
			t.Errorf("%s outlives its stack, and blocks the next one", name)
		}
	}
	for _, place := range [][]string{{"Resources", "Subscription", "Properties", "TopicArn"}, {"Outputs", "TopicArn", "Value"}} {
		part := map[string]any{"Resources": s.Resources.v, "Outputs": s.Outputs.v}
		if got := under(t, part, place...); !isTopic(got) {
			t.Errorf("%v is %v, which an existing topic does not give", place, got)
		}
	}
}
