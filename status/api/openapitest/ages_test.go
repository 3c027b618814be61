package openapitest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// ages names, for each time in the document, the property with its distance from now. The distance is from a clock
// that is never set, so that it is right on a gateway whose clock is in 1970.
var ages = map[string]string{
	"Build.started_at": "uptime_s", "Status.started_at": "uptime_s", "Clock.booted_at": "booted_age_s",
	"Integration.last_success": "last_success_age_s", "Integration.oldest": "oldest_age_s",
	"Integration.next_attempt_at": "next_attempt_in_s", "Integration.next_publication": "next_publication_in_s",
	"Latest.sampled_at": "age_s", "LineFault.at": "age_s", "Problem.since": "age_s", "Folded.since": "age_s", "Slave.last_good": "age_s",
	"Trigger.completed_at": "age_s", "Trigger.next_attempt_at": "next_attempt_in_s",
	"TriggerDetail.completed_at": "age_s", "TriggerDetail.next_attempt_at": "next_attempt_in_s",
}

// ageless are the times without an age, with the reason.
var ageless = map[string]string{
	"Clock.last_good": "the clock that would give its age is the one in doubt",
	"Gap.from":        "an earlier run may have had another clock", "Gap.to": "an earlier run may have had another clock",
	"History.from": "to is now", "History.to": "it is now", "History.kept_since": "to is now", "Bucket.from": "to is now",
	"Run.from": "to is now", "Run.to": "to is now", "HistoryGap.from": "to is now", "HistoryGap.to": "to is now",
	"Hello.now": "it is now", "LogLine.time": "as the log has it: the clock at that time", "ReadAnswer.at": "it is now",
	"Replay.sampled_at":        "how far a replay is",
	"TriggerDetail.sampled_at": "of the message, which has its own clock", "TriggerDetail.published_at": "the same",
}

// TestEveryTimeHasItsAge: a client needs no clock to know how old something is.
func TestEveryTimeHasItsAge(t *testing.T) {
	times := map[string]bool{}
	for name, schema := range load(t).Components.Schemas {
		for property, value := range schema.Value.Properties {
			if value.Value.Format != "date-time" {
				continue
			}
			times[property] = true
			at := name + "." + property
			switch age := ages[at]; {
			case age == "" && ageless[at] == "":
				t.Errorf("%s is a time without an age: add one beside it", at)
			case age != "" && schema.Value.Properties[age] == nil:
				t.Errorf("%s has no age %s.%s", at, name, age)
			}
		}
	}
	all := exchanges(t)
	for i := range all {
		var answer any
		if json.Unmarshal([]byte(all[i].Response), &answer) == nil {
			walk(answer, func(in map[string]any, key string) {
				if !times[key] {
					t.Errorf("%s %s: %q is a time, but not in its schema in status/api/openapi.yaml: give it format: date-time",
						all[i].Method, all[i].URL, key)
				}
			})
		}
	}
	for _, at := range slices.Sorted(maps.Keys(ages)) {
		name, property, _ := strings.Cut(at, ".")
		if s := load(t).Components.Schemas[name]; s == nil || s.Value.Properties[property] == nil || !isTime(s.Value.Properties[property]) {
			t.Errorf("%s is not a time of the document", at)
		}
	}
}

func isTime(p *openapi3.SchemaRef) bool { return p.Value.Format == "date-time" }

// walk calls found for each text that is a time, with its object. It leaves out messages and configurations, because
// the API only passes them on.
func walk(v any, found func(in map[string]any, key string)) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			walk(one, found)
		}
	case map[string]any:
		for key, one := range v {
			if text, ok := one.(string); ok {
				if _, err := time.Parse(time.RFC3339, text); err == nil {
					found(v, key)
				}
			}
			if key != "published_data" && key != "config" {
				walk(one, found)
			}
		}
	}
}
