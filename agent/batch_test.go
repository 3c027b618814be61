package agent_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

const batched = `
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [Et_float, EV_float, Ahc_r], intervals: {"*": 10s}}]}
integrations:
  - {name: x, type: gcp, topic: projects/test-project/topics/Main, id: AAAAAAAAAAAAAAAAAAAA, envelope: batch}
  - {name: y, type: gcp, topic: projects/test-project/topics/Also, id: BBBBBBBBBBBBBBBBBBBB}
`

// said returns the samples in the messages of one integration, each as "object data sampled_at slave".
func (s *site) said(integration string) (messages int, samples []string) {
	s.t.Helper()
	for _, body := range s.sink.bodies() {
		if !strings.Contains(body, integration) {
			continue
		}
		messages++
		if body[0] == '{' {
			var m message
			if err := json.Unmarshal([]byte(body), &m); err != nil {
				s.t.Fatal(err)
			}
			samples = append(samples, fmt.Sprint(m.Object, m.Data, m.SampledAt, m.Slave, m.CCFirmware))
			continue
		}
		var parts []json.RawMessage
		var head message
		if err := json.Unmarshal([]byte(body), &parts); err != nil {
			s.t.Fatal(err)
		}
		if err := json.Unmarshal(parts[0], &head); err != nil {
			s.t.Fatal(err)
		}
		for _, part := range parts[1:] {
			var row []any
			if err := json.Unmarshal(part, &row); err != nil {
				s.t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, head.SampledAt)
			if err != nil {
				s.t.Fatal(err)
			}
			if len(row) > 2 {
				at = at.Add(time.Duration(row[2].(float64)) * time.Second)
			}
			samples = append(samples, fmt.Sprint(row[0], row[1], at.Format(time.RFC3339), head.Slave, head.CCFirmware))
		}
	}
	return messages, samples
}

func TestBatchSaysWhatSingleMessagesSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, batched, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(35 * time.Second)
		s.stop()
		batches, packed := s.said("AAAAAAAAAAAAAAAAAAAA")
		singles, plain := s.said("BBBBBBBBBBBBBBBBBBBB")
		if batches != 4 || singles != 12 || !slices.Equal(packed, plain) {
			t.Errorf("%d batches say %q,\n%d messages %q", batches, packed, singles, plain)
		}
	})
}

// The one answer to a batch counts for every sample in it, in the counters and in the trigger log. There each sample
// has its own row and message.
func TestAnswerToABatchSettlesAllItsSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, batched, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		tries := 0
		s.sink.answers(func(m sinks.Message) sinks.Result {
			if tries++; strings.Contains(string(m.Body), "BBBB") {
				return sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
			}
			if strings.Contains(string(m.Body), "00:00:10") {
				return sinks.Failed(sinks.Reject, "InvalidParameter", "no such thing")
			}
			if tries < 12 {
				return sinks.Failed(sinks.Retry, "Unavailable", "later")
			}
			return sinks.Result{Outcome: sinks.Accepted, MessageID: "m"}
		})
		time.Sleep(95 * time.Second)
		synctest.Wait()
		status := s.status().Integrations[0]
		page, err := s.agent.Triggers(api.TriggerQuery{Integration: "AAAAAAAAAAAAAAAAAAAA"})
		s.stop()
		if err != nil || status.Sent != 27 || status.Failed != 3 || status.Backlog != 0 {
			t.Errorf("%v %+v", err, status)
		}
		retried := 0
		for _, row := range page.Triggers {
			var m message
			if err := json.Unmarshal(row.PublishedData, &m); err != nil || m.Object == "" {
				t.Errorf("published_data %s: %v", row.PublishedData, err)
			}
			if row.Success == strings.Contains(m.SampledAt, "00:00:10") || row.Success != (row.IntegrationData.MessageID == "m") {
				t.Errorf("%+v", row)
			}
			if row.Attempts > 1 {
				retried++
			}
		}
		if n := len(page.Triggers); n != 30 || retried == 0 || retried%3 != 0 {
			t.Errorf("%d rows, %d of them after a retry", n, retried)
		}
	})
}

func TestPackedBatchIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, strings.Replace(batched, "envelope: batch", "envelope: batch, compress: gzip", 1),
			map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))})
		time.Sleep(5 * time.Second)
		s.stop()
		n := 0
		for _, body := range s.sink.bodies() {
			if strings.HasPrefix(body, "H4sI") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d packed batches in %q", n, s.sink.bodies())
		}
	})
}
