package agent_test

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"noi-agent/modbus/modbustest"
)

// The page of metrics is readable whatever product code a controller reports.
func TestMetricsReadWhateverAProductCodeHolds(t *testing.T) {
	for code, want := range map[string]string{
		"PS-PWM-30M \xB0C":    "PS-PWM-30M C",
		"PS-PWM \"<b>\\\n":    "PS-PWM \"<b>\\",
		"\xFF\xFE":            "PSPWM",
		"PS-PWM-30M \u00B0 C": "PS-PWM-30M \u00B0 C",
	} {
		synctest.Test(t, func(t *testing.T) {
			slave := controller(1)
			slave.Identity.Product = code
			s := start(t, oneSlave, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
			time.Sleep(25 * time.Second)
			rec := httptest.NewRecorder()
			s.agent.Metrics().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
			s.stop()
			parser := expfmt.NewTextParser(model.UTF8Validation)
			families, err := parser.TextToMetricFamilies(rec.Body)
			if err != nil {
				t.Fatalf("%q: %v", code, err)
			}
			for _, label := range families["noi_slave_info"].GetMetric()[0].GetLabel() {
				if label.GetName() == "slave" && label.GetValue() != want {
					t.Errorf("%q is shown as %q, want %q", code, label.GetValue(), want)
				}
			}
		})
	}
}
