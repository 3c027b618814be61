package configs_test

import (
	"slices"
	"strings"
	"testing"
)

// If a slave's limits make an object impossible, the configuration gives a notice. For example, the scales of a TriStar MPPT's voltages are
// 25 registers before the voltages.
func TestWhatCanNeverGiveASampleIsTold(t *testing.T) {
	for _, c := range []struct{ slave, want string }{
		{"model: TSMPPT\n    max_registers: 20\n    objects: adc_vb_f_med, hourmeter", "adc_vb_f_med can never give a sample: it needs the 25 registers from 0x0000 in one read, and max_registers is 20"},
		{"model: TSMPPT\n    avoid: [0x0001]\n    objects: adc_vb_f_med, hourmeter", "adc_vb_f_med can never give a sample: it is read with the registers from 0x0000 to 0x0018, and avoid says that 0x0001 is not there"},
		{"model: TSMPPT\n    avoid: [0x0100-0x0110]\n    objects: adc_vb_f_med, hourmeter", ""},
		{"model: PSPWM\n    max_registers: 1\n    objects: adc_ia, alarm", "alarm can never give a sample: it needs the 2 registers from 0x0038 in one read, and max_registers is 1"},
	} {
		var got []string
		for _, n := range mustParse(t, site(c.slave)).Notices() {
			if strings.Contains(n.Text, "can never give a sample") {
				got = append(got, n.Text)
				if n.Line == 0 {
					t.Errorf("%s has no line", n.Text)
				}
			}
		}
		if c.want == "" && len(got) == 0 || c.want != "" && slices.Equal(got, []string{c.want}) {
			continue
		}
		t.Errorf("%s: %q, want %q", c.slave, got, c.want)
	}
	var all []string
	for _, f := range mustCatalog(t).Families() {
		for _, n := range mustParse(t, site("model: "+f.Slug+"\n    objects: all")).Notices() {
			all = append(all, n.Text)
		}
	}
	if slices.ContainsFunc(all, func(text string) bool { return strings.Contains(text, "never") }) {
		t.Errorf("of the built-in families: %q", all)
	}
}
