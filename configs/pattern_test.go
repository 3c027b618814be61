package configs_test

import (
	"testing"

	"noi-agent/configs"
)

func TestStarIsTheOnlyWildcard(t *testing.T) {
	tests := []struct {
		word, name string
		want       bool
	}{
		{"adc_ia", "adc_ia", true},
		{"adc_ia", "adc_i", false},
		{"adc_ia", "ADC_IA", false},
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"**", "anything", true},
		{"T_*", "T_batt", true},
		{"T_*", "T_", true},
		{"T_*", "Tb", false},
		{"*_daily", "Vb_min_daily", true},
		{"*_daily", "Vb_min_daily2", false},
		{"V*_daily", "V_daily", true},
		{"V*_daily", "V_daily_daily", true},
		{"a*b*c", "a-b-c", true},
		{"a*b*c", "acb", false},
		{"a*a", "a", false}, // the beginning and the end must not use the same letter
		{"ab*ba", "aba", false},
		{"*ab*ab*", "abab", true},
		{"*ab*ab*", "abb", false},
		{"T_ind[U]", "T_ind[U]", true},
		{"T_ind[U]", "T_indU", false},
		{"T_ind[*]", "T_ind[V]", true},
		{"T_?", "T_x", false},
		{"a.c", "abc", false},
	}
	for _, tt := range tests {
		if got := configs.Match(tt.word, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.word, tt.name, got)
		}
	}
}

func TestExactBeatsPatternAndTheLongestWins(t *testing.T) {
	tests := []struct {
		words             []string
		name, winner, tie string
	}{
		{[]string{"*", "T_*", "T_batt"}, "T_batt", "T_batt", ""},
		{[]string{"T_batt", "T_batt*"}, "T_batt", "T_batt", ""},
		{[]string{"*", "T_*", "T_b*"}, "T_batt", "T_b*", ""},
		{[]string{"T_*", "*", "T_b*"}, "T_amb", "T_*", ""},
		{[]string{"T_*", "*tt"}, "T_batt", "T_*", "*tt"},
		{[]string{"T_*", "*tt", "T_b*"}, "T_batt", "T_b*", ""}, // a tie between two worse patterns does not matter
		{[]string{"T_*", "*tt", "T_batt"}, "T_batt", "T_batt", ""},
		{[]string{"adc_*"}, "T_batt", "", ""},
		{nil, "T_batt", "", ""},
	}
	for _, tt := range tests {
		winner, tie := configs.Best(tt.words, tt.name)
		if winner != tt.winner || tie != tt.tie {
			t.Errorf("%v for %s: %q, tie %q", tt.words, tt.name, winner, tie)
		}
	}
}
