package api

import (
	"encoding/json"
	"time"
)

// The kinds of values of a History.
const (
	HistoryNumber = "number" // has buckets
	HistoryText   = "text"   // a state, or an identity; has runs
	HistoryBits   = "bits"   // faults and alarms; has runs
	HistoryBool   = "bool"   // has runs
)

// History is the answer of GET /api/v1/objects/{line}/{unit}/{object}/history: the values of one object in the last
// hours. Times are by the present clock, in UTC and milliseconds. A clock that is set moves all of them by the same
// amount, so that the age of each stays what it is.
type History struct {
	Line   string    `json:"line"`
	UnitID int       `json:"unit_id"`
	Object string    `json:"object"`
	Unit   string    `json:"unit"` // of the numbers, "V"; "" for none
	Kind   string    `json:"kind"` // number | text | bits | bool
	From   time.Time `json:"from"` // begin of the requested hours, which end at To, now
	To     time.Time `json:"to"`
	// begin of the history of this object: the start of the agent, or the oldest time in memory
	KeptSince time.Time    `json:"kept_since"`
	Step      string       `json:"step"`    // length of a bucket, as in "3m0s"
	Buckets   []Bucket     `json:"buckets"` // of numbers: the buckets with a sample, the oldest first
	Runs      []Run        `json:"runs"`    // of the other kinds, the oldest first
	Gaps      []HistoryGap `json:"gaps"`    // the oldest first; none overlaps a bucket
}

// Bucket has the lowest, the mean and the highest sample of one step.
type Bucket struct {
	From time.Time `json:"from"` // its begin; the next one begins a step later at the earliest
	Min  float32   `json:"min"`
	Mean float32   `json:"mean"`
	Max  float32   `json:"max"`
	N    int       `json:"n"` // samples, from 1; 65535 for more
}

// Run is a time in which an object had one value.
type Run struct {
	Value json.RawMessage `json:"value"` // as in GET /api/v1/objects: a string, a list of strings, true or false
	From  time.Time       `json:"from"`  // the first sample with it
	// the first sample with another value; after a gap and at the end, the last one
	To time.Time `json:"to"`
}

// Text returns the value as people read it: the state, or the names of the bits joined by commas; "" when no bit is
// set.
func (r *Run) Text() string {
	var word string
	if json.Unmarshal(r.Value, &word) == nil {
		return word
	}
	var names []string
	if json.Unmarshal(r.Value, &names) == nil {
		for i, name := range names {
			if i > 0 {
				word += ", "
			}
			word += name
		}
		return word
	}
	return string(r.Value)
}

// GapNoValue is the reason of a HistoryGap that is not in the trigger log. Either the controller answered without a
// value, for example because a sensor is not connected, or the object was not polled.
const GapNoValue = "no_value"

// HistoryGap is a time without samples. A time before KeptSince is none.
type HistoryGap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Reason string    `json:"reason"` // as in the rows about gaps of the trigger log ("bus: no answer"), or "no_value"
}

// Column is one column of a chart: a part of the time of a History. All columns of a chart have the same length.
type Column struct {
	At             int // number of the column from the left, from 0
	Min, Mean, Max float32
}

// Curves returns the numbers for a chart of n columns over the time from From to To. A gap ends a curve, and the next
// curve begins after it, so a chart must not connect two curves. A curve has its columns with samples, from left to
// right. A column combines one or more buckets. If buckets are longer than columns, the columns between them are left
// out.
func (h *History) Curves(n int) [][]Column {
	var curves [][]Column
	var curve []Column
	samples, gap := 0, 0
	for i := range h.Buckets {
		b := &h.Buckets[i]
		for ; gap < len(h.Gaps) && !h.Gaps[gap].From.After(b.From); gap++ {
			if len(curve) > 0 {
				curves, curve = append(curves, curve), nil
			}
		}
		at := h.Place(b.From, n)
		if last := len(curve) - 1; last >= 0 && curve[last].At == at {
			curve[last].join(b, samples)
			samples += b.N
			continue
		}
		curve, samples = append(curve, Column{at, b.Min, b.Mean, b.Max}), b.N
	}
	if len(curve) > 0 {
		curves = append(curves, curve)
	}
	return curves
}

// join adds a bucket to a column. samples is the number of samples in the column so far.
func (c *Column) join(b *Bucket, samples int) {
	c.Min, c.Max = min(c.Min, b.Min), max(c.Max, b.Max)
	c.Mean += (b.Mean - c.Mean) * float32(b.N) / float32(samples+b.N)
}

// Place returns the number of the column for an instant, from 0 to n-1. All columns have the same length, so all hours
// have the same width, also on a day of 23 or 25 hours. An instant before From belongs to the first column, an instant
// after To to the last one.
func (h *History) Place(at time.Time, n int) int {
	span := h.To.Sub(h.From)
	if span <= 0 {
		return 0
	}
	return int(min(max(at.Sub(h.From)*time.Duration(n)/span, 0), time.Duration(n-1)))
}
