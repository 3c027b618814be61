package main

import (
	"runtime/debug"
	"testing"
	"time"
)

func TestBuildDate(t *testing.T) {
	noted := func(key, value string) func() (*debug.BuildInfo, bool) {
		return func() (*debug.BuildInfo, bool) {
			return &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: key, Value: value}}}, true
		}
	}
	none := func() (*debug.BuildInfo, bool) { return nil, false }
	commit := time.Date(2026, 11, 25, 2, 14, 23, 0, time.UTC)
	for _, c := range []struct {
		seconds string
		info    func() (*debug.BuildInfo, bool)
		want    time.Time
	}{
		{"1795572863", none, commit},
		{"1795572863", noted("vcs.time", "2001-01-01T00:00:00Z"), commit},
		{"", noted("vcs.time", "2026-11-25T02:14:23Z"), commit},
		{"never", noted("vcs.time", "soon"), time.Time{}},
		{"", noted("vcs.revision", "2026-11-25T02:14:23Z"), time.Time{}},
		{"", none, time.Time{}},
		{"0", none, time.Time{}},
	} {
		if got := buildDate(c.seconds, c.info); !got.Equal(c.want) {
			t.Errorf("%q: %v, want %v", c.seconds, got, c.want)
		}
	}
}
