package configs_test

import (
	"fmt"
	"strings"
	"testing"

	"noi-agent/configs"
)

// manySlaves is a configuration of n slaves, each in the `slaves` of each of 20 integrations: by unit, by name and by product code.
func manySlaves(n int) []byte {
	var slaves, words strings.Builder
	for i := range n {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&slaves, "  - {id: 1, name: site %d}\n", i)
			fmt.Fprintf(&words, "site %d, ", i)
		case 1:
			fmt.Fprintf(&slaves, "  - {id: 1, product_code: PS-PWM-%d}\n", i)
			fmt.Fprintf(&words, "PS-PWM-%d, ", i)
		default:
			fmt.Fprint(&slaves, "  - {id: 1}\n")
			fmt.Fprintf(&words, "l%d/1, ", i)
		}
	}
	var text strings.Builder
	text.WriteString("lines:\n")
	for i, slave := range strings.SplitAfter(strings.TrimSuffix(slaves.String(), "\n"), "\n") {
		fmt.Fprintf(&text, "- name: l%d\n  port: tcp://10.0.%d.%d\n  slaves:\n%s", i, i/250, 1+i%250, slave)
	}
	text.WriteString("\nintegrations:\n")
	for i := range 20 {
		fmt.Fprintf(&text, "- {type: gcp, topic: projects/test-project/topics/Main%d, slaves: '%s'}\n", i, strings.TrimSuffix(words.String(), ", "))
	}
	return []byte(text.String())
}

// Each word finds its slave: by unit, by name and by product code.
func TestEachOfManyWordsFindsItsSlave(t *testing.T) {
	c, faults := configs.Parse(manySlaves(60), mustCatalog(t))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	in := &c.Integrations[0]
	for i := range c.Lines {
		s := c.Lines[i].Slaves[0]
		if !in.WantsSlave(c.Lines[i].Name, s.ID, []string{s.Name, s.ProductCode}) {
			t.Errorf("%s/1 is not found", c.Lines[i].Name)
		}
		if in.WantsSlave(c.Lines[i].Name+"x", 1, []string{s.Name + "x", ""}) {
			t.Errorf("%sx/1 is found", c.Lines[i].Name)
		}
	}
}

// BenchmarkManySlaves measures the time for one slave. It fails if this time grows with the number of slaves.
func BenchmarkManySlaves(b *testing.B) {
	perSlave := map[int]float64{}
	for _, n := range []int{500, 1000, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			text, catalog := manySlaves(n), mustCatalog(b)
			for b.Loop() {
				if _, faults := configs.Parse(text, catalog); len(faults) > 0 {
					b.Fatal(faults[0])
				}
			}
			perSlave[n] = float64(b.Elapsed().Nanoseconds()) / float64(b.N*n)
			b.ReportMetric(perSlave[n], "ns/slave")
		})
	}
	if ratio := perSlave[2000] / perSlave[500]; ratio > 2 {
		b.Errorf("with four times the slaves, one takes %.1f times as long", ratio)
	}
}
