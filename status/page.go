package status

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
)

//go:embed page.html
var pageSource string

//go:embed style.css
var styleSource string

// page makes the page. It is parsed once and may be used by all requests at once.
type page struct{ template *template.Template }

func newPage(zone *time.Location) *page {
	words := wording{zone}
	t := template.New("page").Funcs(template.FuncMap{
		"local":    words.local,
		"stretch":  words.stretch,
		"span":     span,
		"text":     text,
		"tone":     tone,
		"count":    count,
		"bytes":    size,
		"decimal":  Decimal,
		"share":    share,
		"perDay":   perDay,
		"duration": Duration,
		"start":    StartWords,
		"gap":      GapWords,
	})
	return &page{template.Must(t.Parse(pageSource))} // our own file: a fault in it fails every test
}

func (s *Server) serveStyle(w http.ResponseWriter, _ *http.Request) {
	send(w, http.StatusOK, typeCSS, []byte(styleSource))
}

func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	q, err := parseQuery(r.URL.RawQuery, pageParameters)
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	q.Limit = pageRows
	var b bytes.Buffer
	if err := s.page.template.Execute(&b, s.view(q)); err != nil {
		fail(w, r, http.StatusInternalServerError, "make the page: "+err.Error())
		return
	}
	send(w, http.StatusOK, typeHTML, b.Bytes())
}

// view is what the page shows. Its parts are read from the JSON that the API gives, so the page cannot
// say anything else than the API, and the agent's own types stay its own.
type view struct {
	Status   statusView
	Latest   []slaveValues
	Triggers triggersView
	Older    bool     // these rows are not the newest
	Unread   []string // what could not be read, in words
}

type statusView struct {
	DeviceID  string  `json:"device_id"`
	Version   string  `json:"version"`
	StartedAt string  `json:"started_at"`
	UptimeS   float64 `json:"uptime_s"`
	Clock     struct {
		Source string `json:"source"`
		State  string `json:"state"`
		Reason string `json:"reason"`
	} `json:"clock"`
	Lines        []lineView        `json:"lines"`
	Integrations []integrationView `json:"integrations"`
	Store        storeView         `json:"store"`
	Problems     []problemView     `json:"problems"`
}

// DeadSince is since when an integration has dead letters: its problem of that name knows, the integration does not.
func (s statusView) DeadSince(integration string) string {
	for _, p := range s.Problems {
		if p.Code == "dead_letters" && p.Subject == integration {
			return p.Since
		}
	}
	return ""
}

// NameOf is what a problem is about, as people call it: integrations have names beside their ids.
func (s statusView) NameOf(subject string) string {
	for i := range s.Integrations {
		if in := &s.Integrations[i]; in.ID == subject && in.Name != "" {
			return in.Name + " (" + subject + ")"
		}
	}
	return subject
}

// Gaps are the integrations that have gaps.
func (s statusView) Gaps() []integrationView {
	var with []integrationView
	for _, in := range s.Integrations {
		if len(in.Gaps) > 0 {
			with = append(with, in)
		}
	}
	return with
}

type storeView struct {
	Bytes     float64       `json:"bytes"`
	Samples   float64       `json:"samples"`
	Committed float64       `json:"committed"`
	Written   float64       `json:"written_bytes"`
	PerDay    *float64      `json:"written_mb_per_day"` // nil: too early to say
	Corrupt   float64       `json:"corrupt"`
	Start     string        `json:"start"`
	Salvaged  float64       `json:"salvaged"`
	KeptAside []string      `json:"kept_aside"`
	Settings  *settingsView `json:"settings"`
}

// settingsView has the durations as the API prints them, "720h0m0s".
type settingsView struct {
	MaxSize        float64 `json:"max_size"`
	MaxAge         string  `json:"max_age"`
	WhenFull       string  `json:"when_full"`
	CommitEvery    string  `json:"commit_every"`
	RetainAfterAck string  `json:"retain_after_ack"`
	KeepTriggers   float64 `json:"keep"`
	FlushEvery     string  `json:"flush_every"`
}

type lineView struct {
	Name     string      `json:"name"`
	Port     string      `json:"port"`
	State    string      `json:"state"`
	Error    string      `json:"error"`
	Load     *float64    `json:"load"` // 0 to 1; nil: not told
	Counters counters    `json:"counters"`
	Slaves   []slaveView `json:"slaves"`
}

// counters are numbers by name. What is no number, such as exceptions by code, is left to the JSON.
type counters map[string]float64

// UnmarshalJSON implements json.Unmarshaler.
func (c *counters) UnmarshalJSON(text []byte) error {
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	*c = counters{}
	for name, value := range all {
		if n, ok := value.(float64); ok {
			(*c)[name] = n
		}
	}
	return nil
}

type slaveView struct {
	UnitID     int      `json:"unit_id"`
	Slave      string   `json:"slave"`
	CCFirmware string   `json:"cc_firmware"`
	FWVersion  string   `json:"fw_version"`
	State      string   `json:"state"`
	LastGood   string   `json:"last_good"`
	AgeS       *float64 `json:"age_s"`
	Error      string   `json:"error"`
	Learnt     string   `json:"learnt"` // YAML for the slave in the configuration
	Counters   counters `json:"counters"`
}

type integrationView struct {
	ID              string      `json:"id"`
	Name            string      `json:"name"`
	Type            string      `json:"type"`
	Topic           string      `json:"topic"`
	State           string      `json:"state"`
	Backlog         float64     `json:"backlog"`
	Oldest          string      `json:"oldest"`
	LastSuccess     string      `json:"last_success"`
	NextPublication string      `json:"next_publication"`
	LastError       string      `json:"last_error"`
	Sent            float64     `json:"sent"`
	Failed          float64     `json:"failed"`
	Dead            float64     `json:"dead_letters"`
	Dropped         float64     `json:"dropped"`
	Uplink          *uplinkView `json:"uplink"` // nil: not told
	Gaps            []gapView   `json:"gaps"`   // the newest first
}

// uplinkView is in bytes; day and month are those of UTC.
type uplinkView struct {
	TodaySent     float64 `json:"today_sent"`
	TodayReceived float64 `json:"today_received"`
	MonthSent     float64 `json:"month_sent"`
	MonthReceived float64 `json:"month_received"`

	PerSample *float64 `json:"sent_per_sample"` // nil: nothing was sent yet
}

type gapView struct {
	Unit   string  `json:"unit"`
	Object string  `json:"object"`
	From   string  `json:"from"` // "": not known, as To
	To     string  `json:"to"`
	Count  float64 `json:"count"` // 0: not known
	Reason string  `json:"reason"`
}

// NewestGaps are as many gaps of an integration as a page for people shows; the status has twenty, and the trigger log more.
const NewestGaps = 5

// Newest are the gaps that the page shows.
func (in integrationView) Newest() []gapView { return in.Gaps[:min(NewestGaps, len(in.Gaps))] }

type problemView struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Subject  string `json:"subject"`
	Since    string `json:"since"`
	Title    string `json:"title"`
	Detail   string `json:"detail"`
	Effect   string `json:"effect"`
	Remedy   string `json:"remedy"`
}

type valueView struct {
	Line      string          `json:"line"`
	Slave     string          `json:"slave"`
	UnitID    int             `json:"unit_id"`
	Object    string          `json:"object"`
	Value     json.RawMessage `json:"value"`
	Unit      string          `json:"unit"`
	SampledAt string          `json:"sampled_at"`
}

type triggersView struct {
	Triggers []triggerView `json:"triggers"`
	Next     *uint64       `json:"next"`
}

type triggerView struct {
	Success         bool            `json:"success"`
	CompletedAt     string          `json:"completed_at"`
	PublishedData   json.RawMessage `json:"published_data"`
	IntegrationData json.RawMessage `json:"integration_data"`
	Topic           string          `json:"topic"`
	Attempts        int             `json:"attempts"`
}

// slaveValues are the latest values of one slave.
type slaveValues struct {
	Line, Slave string
	UnitID      int
	Values      []valueView
}

func (s *Server) view(q store.TriggerQuery) *view {
	v := &view{Older: q.Before > 0}
	v.read("status", s.o.Reporter.Status(), &v.Status)

	var latest struct {
		Objects []valueView `json:"objects"`
	}
	v.read("latest values", s.o.Reporter.Objects(), &latest)
	v.Latest = bySlave(latest.Objects)

	rows, err := s.o.TriggerLog.Triggers(q)
	if err != nil {
		v.Unread = append(v.Unread, "trigger log: "+err.Error())
		return v
	}
	v.read("trigger log", rows, &v.Triggers)
	if next := v.Triggers.Next; next != nil && *next == 0 {
		v.Triggers.Next = nil // the same as null: there are no older rows
	}
	return v
}

// read takes over as much of from as fits: decoding goes on behind a field of the wrong type.
func (v *view) read(what string, from, into any) {
	b, err := encode(from)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		v.Unread = append(v.Unread, what+": "+err.Error())
	}
}

// bySlave groups neighbours; the agent lists the values of a slave together.
func bySlave(values []valueView) []slaveValues {
	var groups []slaveValues
	for _, o := range values {
		n := len(groups)
		if n == 0 || groups[n-1].Line != o.Line || groups[n-1].Slave != o.Slave || groups[n-1].UnitID != o.UnitID {
			groups = append(groups, slaveValues{Line: o.Line, Slave: o.Slave, UnitID: o.UnitID})
			n++
		}
		groups[n-1].Values = append(groups[n-1].Values, o)
	}
	return groups
}

// wording prints what depends on the zone.
type wording struct{ zone *time.Location }

// local prints an RFC 3339 time in local time with its zone, nothing for the zero time; what is no time
// comes back as it is.
func (w wording) local(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		return rfc3339
	}
	if t.IsZero() {
		return ""
	}
	return t.In(w.zone).Format("2006-01-02 15:04:05 MST")
}

// stretch prints the time from one RFC 3339 time to another, as local does; the date is not said twice.
func (w wording) stretch(from, to string) string {
	a, b := w.local(from), w.local(to)
	switch {
	case a == "" && b == "":
		return "not known"
	case a == "":
		return "until " + b
	case b == "":
		return "from " + a
	}
	begun, err1 := time.Parse(time.RFC3339, from)
	ended, err2 := time.Parse(time.RFC3339, to)
	const date, zone = "2006-01-02 ", " MST"
	begun, ended = begun.In(w.zone), ended.In(w.zone)
	if err1 != nil || err2 != nil || begun.Format(date+zone) != ended.Format(date+zone) {
		return a + " – " + b
	}
	return strings.TrimSuffix(a, begun.Format(zone)) + " – " + strings.TrimPrefix(b, ended.Format(date))
}

// span prints a number of seconds as "45 s", "3 min 5 s", "7 h 2 min" or "12 d 4 h".
func span(seconds float64) string {
	n := int64(max(seconds, 0))
	switch {
	case n < 60:
		return fmt.Sprintf("%d s", n)
	case n < 3600:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%d h %d min", n/3600, n%3600/60)
	default:
		return fmt.Sprintf("%d d %d h", n/86400, n%86400/3600)
	}
}

// text prints JSON for people: a string bare, a list of strings joined, none as "none", the rest as it is.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return string(raw)
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// tone is the style of a state or severity: what works, what waits by itself, and what needs somebody.
func tone(state string) string {
	switch state {
	case "ok", "idle", "good", "created", "clean", "checked":
		return "good"
	case "failed", "silent", "refusing", "fault", "unknown_model", "wrong_model", "no_objects", "memory":
		return "bad"
	case "retrying", "waiting", "waiting_for_clock", "unsure", "opening", "warning", "renewed":
		return "warn"
	default:
		return "calm"
	}
}

// count prints a whole number with its thousands apart.
func count(n float64) string {
	digits := strconv.FormatFloat(n, 'f', 0, 64)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "\u202f" + digits[i:] // a narrow space that does not break
	}
	return digits
}

// size prints a number of bytes as "812 B", "64.0 KiB" or "3.5 MiB".
func size(n float64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%.0f B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", n/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", n/(1<<20))
	}
}

// share prints a part of one as percent.
func share(part float64) string { return fmt.Sprintf("%.1f %%", part*100) }

// Decimal prints a number of bytes as tariffs and flash count them: "812 B", "64.0 kB", "3.5 MB" or "1.2 GB".
func Decimal(n float64) string {
	switch {
	case n < 1e3:
		return fmt.Sprintf("%.0f B", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", n/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", n/1e6)
	default:
		return fmt.Sprintf("%.1f GB", n/1e9)
	}
}

func perDay(megabytes float64) string { return fmt.Sprintf("%.1f MB a day", megabytes) }

// Duration prints what time.Duration prints the way it is written in a configuration: "720h" for "720h0m0s".
func Duration(d string) string {
	for _, unit := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(d, unit) {
			d = d[:len(d)-len("0s")]
		}
	}
	return d
}

// StartWords says how the store came up, for a word of `store.start` of the status; "" for one that it does not know.
func StartWords(start string) string {
	return map[string]string{
		"created": "there was none",
		"clean":   "as it was left",
		"checked": "unclean stop before; the file was checked and is sound",
		"renewed": "the old file could not be used and was moved aside",
		"memory":  "the disk fails; samples are lost when power is",
	}[start]
}

// GapWords says the reason of a gap for people, with the word of docs/durability.md behind it; what it does not know comes back as
// it is.
func GapWords(reason string) string {
	word, _, _ := strings.Cut(reason, ":")
	said, ok := map[string]string{
		objects.GapBus:      "no valid reply from the controller",
		objects.GapIdentity: "the controller is not the configured one, or was not identified yet",
		objects.GapLine:     "the port could not be used",
		objects.GapOverrun:  "the line was too busy",
		objects.GapQueue:    "the store did not take the samples in time",
		objects.GapAgent:    "the agent did not run; the number is an estimate",
		objects.GapAge:      "the samples waited longer than max_age",
		objects.GapSize:     "the outbox was full",
		objects.GapDiskFull: "the disk was full",
		objects.GapRejected: "the outbox was full, and new samples were not stored",
		objects.GapRemoved:  "the integration was not in the configuration",
		objects.GapDead:     "the cloud rejected the samples, and they were deleted",
		objects.GapDamaged:  "the stored record is damaged",
	}[word]
	if !ok {
		return reason
	}
	return fmt.Sprintf("%s (%s)%s", said, word, strings.TrimPrefix(reason, word))
}
