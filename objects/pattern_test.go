package objects_test

import (
	"testing"

	"noi-agent/objects"
)

func TestPatternsOfNames(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "x", false}, {"adc_ia", "adc_ia", true}, {"adc_ia", "adc_il", false}, {"T_*", "T_batt", true}, {"T_*", "xT_batt", false}, {"*_r", "Ahc_r", true},
		{"a*c*e", "abcde", true}, {"a*c*e", "abde", false}, {"T_ind[*", "T_ind[U]", true}, {"*", "", true}, {"ab*ba", "aba", false},
	} {
		if got := objects.MatchesName(c.pattern, c.name); got != c.want {
			t.Errorf("%q and %q: %t", c.pattern, c.name, got)
		}
	}
}
