package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/status/api"
)

// countingSlave answers each read of a register pair with a number that grows by one. So a missing or misplaced
// sample is visible.
func countingSlave() *modbustest.Slave {
	var mu sync.Mutex
	counts := map[uint16]uint32{}
	slave := fixedSlave()
	slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
		mu.Lock()
		defer mu.Unlock()
		regs, exception := fixedRegisters(function, addr, count)
		for _, pair := range []uint16{0x0026, 0x0034} { // Ahc_r, Ahl_t: 32 bits, a tenth each
			if pair >= addr && pair+2 <= addr+count {
				counts[pair]++
				regs[pair-addr], regs[pair-addr+1] = uint16(counts[pair]>>16), uint16(counts[pair])
			}
		}
		return regs, exception
	}
	return slave
}

// TestOutageOfBothCloudsLosesNothingAndKeepsTheOrder makes the clouds unavailable for different times: SNS refuses
// because of permission, Pub/Sub cannot be reached. Afterwards each has every sample, in order.
func TestOutageOfBothCloudsLosesNothingAndKeepsTheOrder(t *testing.T) {
	w := newWorld(t, countingSlave())
	daemon := w.start(w.config(`objects: [Ahc_r, Ahl_t], intervals: {"*": 20ms}`, "all"), nil)
	eventually(t, "both clouds get samples", func() bool { return w.sns.Taken() > 10 && w.pubsub.Taken() > 10 })

	w.sns.SetFault(standin.Always(standin.SNSDenied(testTopicARN)))
	if err := w.pubsub.SetDown(true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both integrations have a backlog", func() bool {
		s := w.status()
		return s.Integrations[0].Backlog > 300 && s.Integrations[1].Backlog > 300
	})
	s := w.status()
	if s.Integrations[0].State != "waiting" || !strings.HasPrefix(s.Integrations[0].LastError, "AuthorizationError: User: ") {
		t.Errorf("SNS is %s with %q", s.Integrations[0].State, s.Integrations[0].LastError)
	}
	if s.Integrations[1].State != "retrying" || s.Integrations[1].LastError == "" {
		t.Errorf("Pub/Sub is %s with %q", s.Integrations[1].State, s.Integrations[1].LastError)
	}
	checkOpenRow(t, w)

	snsBack := time.Now()
	w.sns.SetFault(nil)
	backAt := w.sns.Taken()
	eventually(t, "SNS has caught up while Pub/Sub is still down", func() bool {
		return w.status().Integrations[0].Backlog < 20 && w.sns.Taken() > backAt+300
	})
	if err := w.pubsub.SetDown(false); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Pub/Sub has caught up", func() bool { return w.status().Integrations[1].Backlog < 20 })
	line := w.status().Lines[0].Counters
	if code := daemon.stop(); code != cli.ExitDone {
		t.Errorf("exit code %d", code)
	}
	missing := checkComplete(t, "SNS", w.sns.Messages())
	if other := checkComplete(t, "Pub/Sub", w.pubsub.Messages()); !slices.Equal(missing, other) {
		t.Errorf("SNS lacks %q, Pub/Sub %q", missing, other)
	}
	// The controller counts a number for each reply. On a busy machine a reply may come incomplete, and has both
	// numbers at most.
	if torn := line.CRCErrors + line.FrameErrors + line.Timeouts; uint64(len(missing)) > 2*torn {
		t.Errorf("missing %q, with %d incomplete replies", missing, torn)
	}
	checkStamps(t, w.sns.Messages()[backAt:], snsBack)
}

// checkOpenRow checks the trigger row of a refused sample: it has the cloud's code and text, and is no success yet.
func checkOpenRow(t *testing.T, w *world) {
	t.Helper()
	var page api.Triggers
	if err := json.Unmarshal(w.get("/api/v1/triggers?success=false&limit=500&integration="+snsID), &page); err != nil {
		t.Fatal(err)
	}
	// A busy machine may skip a moment, which is a gap.
	page.Triggers = slices.DeleteFunc(page.Triggers, func(row api.Trigger) bool { return row.Gap != nil })
	if len(page.Triggers) == 0 {
		t.Fatal("the trigger log has no row of a failure")
	}
	row := page.Triggers[0]
	want := standin.SNSDenied(testTopicARN)
	if row.IntegrationData.Error != want.Code+": "+want.Text || row.Attempts < 1 || row.Topic != testTopicARN {
		t.Errorf("the row is %+v", row)
	}
}

// checkComplete checks that each object's numbers arrived from the first to the last, in order, and returns the
// missing ones. A repeated sample, as after a lost answer, must be equal to the first one.
func checkComplete(t *testing.T, cloud string, messages []standin.Message) (missing []string) {
	t.Helper()
	last := map[string]float64{}
	for _, m := range messages {
		b := parseBody(t, m.Body)
		var tenths float64
		if err := json.Unmarshal(b.Data, &tenths); err != nil {
			t.Fatal(err)
		}
		n := float64(int(tenths*10 + 0.5))
		for at := last[b.Object] + 1; at < n; at++ {
			missing = append(missing, fmt.Sprintf("%s %v", b.Object, at))
		}
		last[b.Object] = max(n, last[b.Object])
	}
	// The end of the daemon may be between the two reads of a sweep.
	if len(last) != 2 || math.Abs(last["Ahc_r"]-last["Ahl_t"]) > 1 {
		t.Errorf("%s: the last numbers are %v", cloud, last)
	}
	slices.Sort(missing)
	return missing
}

// checkStamps checks that published_at is the time of the successful attempt, and that sampled_at does not change. It
// ignores the attempt that was on its way when the cloud came back.
func checkStamps(t *testing.T, messages []standin.Message, back time.Time) {
	t.Helper()
	early := 0
	onItsWay := parseBody(t, messages[0].Body).PublishedAt
	for _, m := range messages {
		b := parseBody(t, m.Body)
		if b.PublishedAt == onItsWay {
			continue
		}
		published, err := time.Parse(time.RFC3339, b.PublishedAt)
		if err != nil {
			t.Fatal(err)
		}
		sampled, err := time.Parse(time.RFC3339, b.SampledAt)
		if err != nil {
			t.Fatal(err)
		}
		if published.Before(back.Truncate(time.Millisecond)) {
			t.Errorf("published_at %s is before the cloud was back at %s", b.PublishedAt, back.UTC())
		}
		if sampled.Before(back.Add(-time.Second)) {
			early++
		}
		if sampled.After(published) {
			t.Errorf("sampled at %s, published at %s", b.SampledAt, b.PublishedAt)
		}
	}
	if early == 0 {
		t.Error("no message after the outage was sampled in it")
	}
}
