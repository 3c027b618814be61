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

// objectView is the data of an object's page.
type objectView struct {
	frame
	Controller   controller
	Value        valueView
	Definition   *objects.Object // nil: the family does not know it
	Integrations []string        // names of those that send it; nil: not known
	Range        string          // 1h, 6h or 24h
	History      *api.History    // nil: there is none
	Building     bool            // the history is younger than the range
	Short        bool            // status.history keeps less than the range
	Chart        chart
	Summary      []fact // of the numbers
	Table        []hour
}

// fact is a value and its time.
type fact struct {
	Words string
	Value string
	At    time.Time
}

// hour is a row of the table that says what the chart shows.
type hour struct {
	From, To        time.Time
	Gap             string // why there is no reading from From to To; "": there are readings
	Min, Mean, Max  string
	least, greatest float32
	sum             float64
	n               int
}

// object answers with the page of one object.
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

// spans are the ranges that a chart can have.
func spans() map[string]time.Duration {
	return map[string]time.Duration{"1h": time.Hour, "6h": 6 * time.Hour, "24h": 24 * time.Hour}
}

// addHistory adds chart, summary and table. An unknown range stands for a day.
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

// beginsWhenKept lets a history that is younger than its span begin where it is kept from, so that a chart has no empty
// part that means nothing. It reports whether the history is young. live.js does the same.
func beginsWhenKept(h *api.History) bool {
	if h.KeptSince.Sub(h.From) <= 5*time.Minute {
		return false
	}
	h.From = h.KeptSince
	if len(h.Buckets) > 0 && h.Buckets[0].From.Before(h.From) {
		h.Buckets[0].From = h.From // it begins at a round time before
	}
	return true
}

// summaryOf is the lowest and the highest of a history.
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

// hoursTable is the chart in numbers: hours, or ten minutes where there is one hour.
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

// mostGaps is how many gaps the table has: a line that is bad all day has hundreds.
const mostGaps = 24

// sentGaps is how many of them the sentence above the chart names.
const sentGaps = 3

// gapsOf are the newest gaps of a history as rows of the table, the oldest first.
func gapsOf(h *api.History) []hour {
	var list []hour
	for _, g := range h.Gaps[max(0, len(h.Gaps)-mostGaps):] {
		list = append(list, hour{From: g.From, To: g.To, Gap: gapWords(g.Reason)})
	}
	return list
}

// withGaps puts gaps between the hours of a table.
func withGaps(hours, gaps []hour) []hour {
	if len(hours) == 0 {
		return nil
	}
	list := append(hours, gaps...)
	slices.SortStableFunc(list, func(a, b hour) int { return a.From.Compare(b.From) })
	return list
}

// gapWords says why a chart has no reading, without the word of the API.
func gapWords(reason string) string {
	if reason == api.GapNoValue {
		return "the controller had no value"
	}
	word, _, _ := strings.Cut(reason, ":")
	return strings.Replace(wording.Gap(reason), " ("+word+")", "", 1)
}

// NewestGaps are those that the sentence above the chart names.
func (v *objectView) NewestGaps() []hour {
	gaps := gapsOf(v.History)
	return gaps[max(0, len(gaps)-sentGaps):]
}

// GapsLeft is how many gaps are older than those.
func (v *objectView) GapsLeft() int { return max(0, len(v.History.Gaps)-sentGaps) }

// Hours is the range as the API takes it.
// HistoryPath is the address of the same history in the API. Where less is kept than the range, all that is kept is
// asked for.
func (v *objectView) HistoryPath() string {
	path := "/api/v1/objects" + at(v.Controller.Line, strconv.Itoa(v.Controller.UnitID), v.Value.Object) + "/history"
	if v.Short {
		return path
	}
	return path + "?hours=" + strings.TrimSuffix(v.Range, "h")
}

// csv answers with the history in numbers: RFC 4180, UTC.
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

// harmless keeps a spreadsheet from taking a text for a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

// Register is where the object stands in the controller.
func (v *objectView) Register() string {
	if v.Definition == nil {
		return ""
	}
	return fmt.Sprintf("register 0x%04X", v.Definition.Address)
}

// Encoding says in words how the controller encodes the object.
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

// Ranges are those that a chart can have.
func (v *objectView) Ranges() []string { return []string{"1h", "6h", "24h"} }

// RangeWords is the range as it is written: "24 h".
func (v *objectView) RangeWords() string { return strings.TrimSuffix(v.Range, "h") + " h" }
