package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/modbus/modbustest"
	"noi-agent/status/api"
)

// Eight slaves answer every read of registers with an exception, each with another code. The status shows each as
// refusing, with a problem that names the code. After they recover, each has a gap.
func TestControllersThatRefuseEveryReadAreShown(t *testing.T) {
	w := newWorld(t, &modbustest.Slave{Unit: 1})
	var refuse atomic.Bool
	refuse.Store(true)
	var slaves []*modbustest.Slave
	var units strings.Builder
	for code := byte(1); code <= 8; code++ {
		slaves = append(slaves, &modbustest.Slave{Unit: code, Read: modbustest.OwnAddress, Script: func(modbustest.Request) (f modbustest.Fault) {
			if refuse.Load() {
				f.Exception = code
			}
			return f
		}})
		fmt.Fprintf(&units, "      - {id: %d, name: refuses-%02d, model: PSPWM, product_code: X, firmware: \"1\", objects: adc_va, intervals: {\"*\": 1s}}\n", code, code)
	}
	d := w.start(clitest.WriteConfig(t, fmt.Sprintf(`state_dir: %s/state
lines:
  - name: gw
    port: tcp://%s
    timeout: 20s
    slaves:
%sintegrations:
  - {id: %s, type: gcp, objects: adc_va, topic: %s, endpoint: "%s"}
buffer: {commit_every: 50ms}
clock: {source: system}
status: {listen: "", socket: %s}
`, w.dir, modbustest.ServeTCP(t, slaves...), units.String(), pubsubID, testTopic, w.pubsub.Addr(), w.socket())), nil)
	var shown time.Time // since when all are shown; some moments must pass, otherwise there is no gap
	eventually(t, "each slave is shown as refusing, with its code", func() bool {
		s := w.status()
		if len(s.Lines) == 0 || len(s.Lines[0].Slaves) != len(slaves) {
			return false
		}
		for i, slave := range s.Lines[0].Slaves {
			named := func(p problemView) bool {
				return p.Code == "slave_refusing" && p.Subject == fmt.Sprintf("gw/%d", i+1) && strings.Contains(p.Detail, fmt.Sprintf("(%02d)", i+1))
			}
			if slave.State != "refusing" || !slices.ContainsFunc(s.Problems, named) {
				return false
			}
		}
		if shown.IsZero() {
			shown = time.Now()
		}
		return time.Since(shown) > 3*time.Second
	})
	refuse.Store(false)
	eventually(t, "each slave has a gap", func() bool {
		var page api.Triggers
		if err := json.Unmarshal(w.get("/api/v1/triggers?gaps=true&limit=500"), &page); err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(slaves, func(slave *modbustest.Slave) bool {
			return !slices.ContainsFunc(page.Triggers, func(row api.Trigger) bool {
				return row.Gap != nil && row.Gap.Unit == fmt.Sprintf("gw/%d", slave.Unit) &&
					strings.Contains(row.Gap.Reason, "answered with an exception")
			})
		})
	})
	d.stop()
}
