package sim

import (
	"testing"

	"noi-agent/objects"
)

// A full counter continues at 0: after simulated centuries there must be no exception 04. The test sets the counters
// itself, because a simulation of centuries takes minutes.
func TestCountersThatAreFullBeginAgain(t *testing.T) {
	c, err := objects.LoadCatalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Families() {
		controller, err := New(Options{Family: f})
		if err != nil {
			t.Fatal(err)
		}
		total := &controller.plant.total
		total.energy, total.hours, total.charged, total.drawn = 1.23456e6, 2.6e6, 1e8, 0.7e8 // 300 years, 1 kWh an hour
		if err := controller.fill(); err != nil {
			t.Errorf("%s after centuries: %v", f.Slug, err)
		}
	}
}
