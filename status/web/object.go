package web

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/status/wording"
)

// objectView is the data of the page of one object.
type objectView struct {
	frame
	Controller controller
	Value      valueView
	Definition *objects.Object // nil: the family does not know it
	Range      string          // 1h, 6h or 24h
	History    *api.History    // nil: there is none
	Building   bool            // the history begins later than the range
	Short      bool            // status.history keeps less than the range
	Chart      chart
	Summary    []fact // lowest and highest number
	Table      []hour // the numbers of the chart, for people who cannot see it
}

// fact is a value with its name and its time.
type fact struct {
	Words string
	Value string
	At    time.Time
}

// hour is a row of the table below the chart: an hour or ten minutes, or a gap.
type hour struct {
	From, To        time.Time
	Gap             string // why there is no reading from From to To; "": there are readings
	Min, Mean, Max  string
	least, greatest float32
	sum             float64
	n               int
}

// object shows the page of one object.
func (s *Site) object(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r, "range") {
		return
	}
	line, name := r.PathValue("line"), r.PathValue("object")
	unit, err := strconv.Atoi(r.PathValue("unit"))
	v := &objectView{frame: s.frame(name, "/values")}
	latest := s.o.Source.Objects().Objects
	for _, c := range s.controllers(&v.Status, latest) {
		if err != nil || c.Line != line || c.UnitID != unit {
			continue
		}
		for _, value := range s.valuesOf(&c, latest) {
			if value.Object == name {
				v.Controller, v.Value, v.Definition = c, value, s.objectOf(c.Family, name)
				v.Title = name + " of " + c.Name()
				s.addHistory(v, r.URL.Query().Get("range"))
				s.render(w, http.StatusOK, v)
				return
			}
		}
	}
	s.say(w, http.StatusNotFound, "There is no such object",
		fmt.Sprintf("No controller %s/%s with an object %s is read.", line, r.PathValue("unit"), name))
}

// spans returns the ranges that a chart can have.
func spans() map[string]time.Duration {
	return map[string]time.Duration{"1h": time.Hour, "6h": 6 * time.Hour, "24h": 24 * time.Hour}
}

// addHistory adds chart, summary and table. An unknown range means a day.
func (s *Site) addHistory(v *objectView, span string) {
	length, ok := spans()[span]
	if !ok {
		span, length = "24h", 24*time.Hour
	}
	v.Range = span
	h, ok := s.o.Source.History(v.Controller.Line, v.Controller.UnitID, v.Value.Object, length)
	if !ok {
		return
	}
	v.History = &h
	v.Short = length-h.To.Sub(h.From) > time.Second
	v.Building = beginsWhenKept(&h)
	if v.Building && h.To.Sub(h.From) < leastKept {
		return
	}
	var states *api.History
	if c := v.Controller.Charge; c != nil && c.Object != v.Value.Object {
		if st, ok := s.o.Source.History(v.Controller.Line, v.Controller.UnitID, c.Object, length); ok {
			st.From = h.From
			states = &st
		}
	}
	v.Chart = chartOf(&h, states, s.o.Zone)
	v.Summary, v.Table = summaryOf(&h), hoursTable(&h)
}

// beginsWhenKept moves the begin of a history that is shorter than its span to the first kept time. Otherwise the chart
// would begin with an empty part that is no gap. It reports whether the history is shorter. The script live.js does the
// same.
func beginsWhenKept(h *api.History) bool {
	if h.KeptSince.Sub(h.From) <= 5*time.Minute {
		return false
	}
	h.From = h.KeptSince
	if len(h.Buckets) > 0 && h.Buckets[0].From.Before(h.From) {
		h.Buckets[0].From = h.From // a bucket begins at a round time, which may be before the first kept time
	}
	return true
}

// summaryOf returns the lowest and the highest number of a history.
func summaryOf(h *api.History) []fact {
	if len(h.Buckets) == 0 {
		return nil
	}
	low, high := &h.Buckets[0], &h.Buckets[0]
	for i := range h.Buckets {
		if h.Buckets[i].Min < low.Min {
			low = &h.Buckets[i]
		}
		if h.Buckets[i].Max > high.Max {
			high = &h.Buckets[i]
		}
	}
	return []fact{
		{"Lowest", digits(float64(low.Min), h.Unit), low.From}, {"highest", digits(float64(high.Max), h.Unit),
			high.From},
	}
}

// hoursTable returns the chart in numbers: a row for each hour, or for each ten minutes if the chart has one hour.
func hoursTable(h *api.History) []hour {
	size := time.Hour
	if h.To.Sub(h.From) <= time.Hour {
		size = 10 * time.Minute
	}
	var list []hour
	for i := range h.Buckets {
		b := &h.Buckets[i]
		from := b.From.Truncate(size)
		if n := len(list); n == 0 || !list[n-1].From.Equal(from) {
			list = append(list, hour{From: from, least: b.Min, greatest: b.Max})
		}
		row := &list[len(list)-1]
		row.least, row.greatest = min(row.least, b.Min), max(row.greatest, b.Max)
		row.sum += float64(b.Mean) * float64(b.N)
		row.n += b.N
	}
	for i := range list {
		row := &list[i]
		row.Min, row.Max = digits(float64(row.least), h.Unit), digits(float64(row.greatest), h.Unit)
		row.Mean = digits(row.sum/float64(max(row.n, 1)), h.Unit)
	}
	return withGaps(list, gapsOf(h))
}

// mostGaps is the most gaps in the table. A line that is bad all day has hundreds.
const mostGaps = 24

// sentGaps is the most gaps in the sentence above the chart.
const sentGaps = 3

// gapsOf returns the newest gaps of a history as rows of the table, the oldest first.
func gapsOf(h *api.History) []hour {
	var list []hour
	for _, g := range h.Gaps[max(0, len(h.Gaps)-mostGaps):] {
		list = append(list, hour{From: g.From, To: g.To, Gap: gapWords(g.Reason)})
	}
	return list
}

// withGaps returns the rows of a table with the gaps among them, in the order of their times.
func withGaps(hours, gaps []hour) []hour {
	if len(hours) == 0 {
		return nil
	}
	list := append(hours, gaps...)
	slices.SortStableFunc(list, func(a, b hour) int { return a.From.Compare(b.From) })
	return list
}

// gapWords returns the reason of a gap in words, without the code that the API uses for it.
func gapWords(reason string) string {
	if reason == api.GapNoValue {
		return "the controller had no value"
	}
	word, _, _ := strings.Cut(reason, ":")
	return strings.Replace(wording.Gap(reason), " ("+word+")", "", 1)
}

// NewestGaps returns the gaps in the sentence above the chart.
func (v *objectView) NewestGaps() []hour {
	gaps := gapsOf(v.History)
	return gaps[max(0, len(gaps)-sentGaps):]
}

// GapsLeft returns the number of gaps that are older than NewestGaps.
func (v *objectView) GapsLeft() int { return max(0, len(v.History.Gaps)-sentGaps) }

// HistoryPath returns the address of the same history in the API. If the agent keeps less than the range, the address
// has no range: the answer is then all that the agent keeps.
func (v *objectView) HistoryPath() string {
	path := "/api/v1/objects" + at(v.Controller.Line, strconv.Itoa(v.Controller.UnitID), v.Value.Object) + "/history"
	if v.Short {
		return path
	}
	return path + "?hours=" + strings.TrimSuffix(v.Range, "h")
}

// csv answers with the history as CSV (RFC 4180). Times are in UTC.
func (s *Site) csv(w http.ResponseWriter, r *http.Request) {
	if !s.accepts(w, r, "range") {
		return
	}
	unit, err := strconv.Atoi(r.PathValue("unit"))
	length, known := spans()[cmp.Or(r.URL.Query().Get("range"), "24h")]
	h, ok := s.o.Source.History(r.PathValue("line"), unit, r.PathValue("object"), length)
	if err != nil || !known || !ok {
		s.say(w, http.StatusNotFound, "There is no such history", "Nothing is kept under this address.")
		return
	}
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.UseCRLF = true
	_ = out.Write([]string{"from", "min", "mean", "max", "samples", "value"}) // into memory
	number := func(f float32) string { return strconv.FormatFloat(float64(f), 'g', -1, 32) }
	for i := range h.Buckets {
		k := &h.Buckets[i]
		_ = out.Write([]string{k.From.UTC().Format(time.RFC3339), number(k.Min), number(k.Mean), number(k.Max),
			strconv.Itoa(k.N), ""})
	}
	for i := range h.Runs {
		_ = out.Write([]string{h.Runs[i].From.UTC().Format(time.RFC3339), "", "", "", "", harmless(h.Runs[i].Text())})
	}
	out.Flush()
	w.Header().Set("Content-Disposition", `attachment; filename="history.csv"`)
	send(w, http.StatusOK, "text/csv; charset=utf-8", b.Bytes())
}

// harmless puts a ' before a text that a spreadsheet would run as a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// Register returns the address of the object's first register in words; "" if it is not known.
func (v *objectView) Register() string {
	if v.Definition == nil {
		return ""
	}
	return fmt.Sprintf("register 0x%04X", v.Definition.Address)
}

// Encoding returns in words how the controller encodes the object; "" if it is not known.
func (v *objectView) Encoding() string {
	if v.Definition == nil {
		return ""
	}
	e := string(v.Definition.Encoding)
	words, ok := map[string]string{
		"f16": "half float", "f32": "float", "u16": "16 bits", "s16": "16 bits, signed", "u32": "32 bits",
		"s32": "32 bits, signed", "state16": "state", "bits16": "16 single bits", "bits32": "32 single bits",
	}[e]
	if !ok {
		return e
	}
	return words
}

// Ranges lists the ranges that a chart can have, the shortest first.
func (v *objectView) Ranges() []string { return []string{"1h", "6h", "24h"} }

// RangeWords returns the range with a space: "24 h".
func (v *objectView) RangeWords() string { return strings.TrimSuffix(v.Range, "h") + " h" }
