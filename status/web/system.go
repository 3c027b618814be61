package web

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/logs"
	"noi-agent/status/wording"
)

// systemView is the data of the page System.
type systemView struct {
	frame
	Recent   []api.LogLine // the newest warnings and errors, the newest first
	LoggedIn bool
	SetAside bool // there is a page of set-aside messages
	Doctor   bool // there is a page of diagnostics
	MayAck   bool // gaps can be acknowledged
	faults   []api.LineFault
	paces    *paces
}

// recentLines is the most lines of the log on the page.
const recentLines = 5

// system shows the outbox, the gaps, the statistics of the lines, the newest warnings, and facts about the gateway.
func (s *Site) system(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r) {
		return
	}
	v := &systemView{frame: s.frame("System", "/system"), SetAside: s.o.SetAside != nil, paces: &s.paces}
	v.Doctor, v.MayAck = s.o.Doctor != nil, s.o.Gaps != nil
	if s.o.LineFaults != nil {
		v.faults = s.o.LineFaults().Faults
	}
	v.LoggedIn = s.o.Keeper != nil && s.o.Keeper.LoggedIn(r)
	v.Recent = s.o.Logs.Lines(logs.Query{Level: slog.LevelWarn, Limit: recentLines})
	slices.Reverse(v.Recent)
	s.render(w, http.StatusOK, v)
}

// Pace returns how many messages an integration gets and finishes: "60 in, 58 out a minute".
func (v *systemView) Pace(in *api.Integration) string {
	p := v.paces.of(in.ID)
	if !p.Known {
		return "known after a minute"
	}
	rate := func(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) }
	return rate(p.In) + " in, " + rate(p.Out) + " out a minute"
}

// Ahead predicts when the backlog of an integration will be empty, or when its oldest message will be deleted.
func (v *systemView) Ahead(in *api.Integration) string {
	if in.Backlog == 0 {
		return "–"
	}
	if p := v.paces.of(in.ID); p.Empty > 0 {
		return "empty in about " + age(int64(p.Empty.Seconds()))
	}
	for i := range v.Status.Problems {
		if p := &v.Status.Problems[i]; p.Code == api.OutboxFilling.Code && p.Subject == in.ID {
			return p.Title
		}
	}
	keeps, err := time.ParseDuration(v.Status.Store.Settings.MaxAge)
	if err != nil || in.OldestAgeS == nil {
		return "–"
	}
	return "the oldest is kept for at most " + age(int64(keeps.Seconds())-*in.OldestAgeS) + " more"
}

// Waiting returns the number of messages that wait, of all integrations.
func (v *systemView) Waiting() (n uint64) {
	for i := range v.Status.Integrations {
		n += v.Status.Integrations[i].Backlog
	}
	return n
}

// Dead returns the number of messages that are set aside, of all integrations.
func (v *systemView) Dead() (n int) {
	for i := range v.Status.Integrations {
		n += v.Status.Integrations[i].Dead
	}
	return n
}

// setAsidePath returns the address of the set-aside messages. If only one integration has some, it is their address,
// because retry and drop are for one integration.
func (v *systemView) setAsidePath() string {
	const all = "/system/set-aside"
	path := ""
	for i := range v.Status.Integrations {
		switch in := &v.Status.Integrations[i]; {
		case in.Dead == 0:
		case path != "":
			return all
		default:
			path = all + "?integration=" + url.QueryEscape(in.ID)
		}
	}
	return path
}

// gapView is a gap with the name of its integration.
type gapView struct {
	api.Gap
	Integration string
	ID          string // of the integration
}

// Until returns the time of the page in UTC. The button acknowledges the gaps that ended until then.
func (v *systemView) Until() string { return v.Now.UTC().Format(time.RFC3339Nano) }

// Gaps returns the newest gaps of each integration, at most wording.NewestGaps of each.
func (v *systemView) Gaps() []gapView {
	var list []gapView
	for i := range v.Status.Integrations {
		in := &v.Status.Integrations[i]
		for _, g := range in.Gaps[:min(wording.NewestGaps, len(in.Gaps))] {
			list = append(list, gapView{g, nameOf(&v.Status, in.ID), in.ID})
		}
	}
	return list
}

// shownFaults is the most failed exchanges of each line on the page. The API has 20.
const shownFaults = 10

// Faults returns the last failed exchanges of a line, the newest first.
func (v *systemView) Faults(line string) []api.LineFault {
	var list []api.LineFault
	for i := range v.faults {
		if v.faults[i].Line == line && len(list) < shownFaults {
			list = append(list, v.faults[i])
		}
	}
	return list
}

// figure is a counter with its name for people.
type figure struct {
	Name  string
	Value float64
}

// figureWords returns the name of a counter for people: "CRC errors" for "crc_errors".
func figureWords(name string) string {
	words := strings.ReplaceAll(name, "_", " ")
	if rest, crc := strings.CutPrefix(words, "crc"); crc {
		return "CRC" + rest
	}
	return strings.ToUpper(words[:1]) + words[1:]
}

// figures returns the counters of a line or slave that are not zero, except requests, replies and the turnaround.
func figures(c *api.Counters) []figure {
	var all map[string]any
	if raw, err := json.Marshal(c); err == nil { // numbers only
		_ = json.Unmarshal(raw, &all)
	}
	var list []figure
	for name, value := range all {
		n, ok := value.(float64)
		if ok && n != 0 && !strings.HasPrefix(name, "turnaround") && name != "requests" && name != "replies" {
			list = append(list, figure{figureWords(name), n})
		}
	}
	for code, n := range c.ExceptionCodes {
		list = append(list, figure{"Exception " + code, float64(n)})
	}
	slices.SortFunc(list, func(a, b figure) int { return strings.Compare(a.Name, b.Name) })
	return list
}
