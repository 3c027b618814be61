package sinks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The limits of Refusals.
const (
	// sure is how many messages of a kind must be refused alone, with none accepted between them, before the kind
	// counts as refused. sureNew is this number for a kind that was never accepted.
	sure    = 3
	sureNew = 2
	// alike is how many kinds must have the same result before it counts for all kinds with the same form of `data`.
	alike = 3
	// probeEvery is the number of requests after which one message of a refused kind is tried again. A probe costs up
	// to two more requests, so probing costs at most an eighth.
	probeEvery = 16
	// mostAside limits how many messages are set aside at once if there are no other messages to send.
	mostAside = 64
)

// Refusals is a sink's knowledge about a topic that gives one answer for a whole request. Such an answer does not show
// which message was refused. Refusals selects the messages of the next request, so that the refused ones are found with
// few bytes:
//
//   - a request has at most one message of a kind that the topic has never accepted;
//   - a request that was refused is halved until one message is refused alone; that one is rejected;
//   - after a message was refused alone, messages of its kind are sent alone, until one is accepted or the kind counts
//     as refused;
//   - messages of a refused kind are set aside without being sent, and one of them is tried from time to time. If the
//     topic accepts it, all knowledge about refused kinds is dropped;
//   - the common result of three kinds with text values counts for all kinds with text values, until one has another
//     result. The same is true for the other forms of data. Accepted kinds count at once, refused ones if they are half
//     of the known kinds;
//   - if kinds do not explain the refusals, a request is as long as the number of messages accepted between two refused
//     ones.
//
// It does no I/O and has no clock. One goroutine owns it.
type Refusals struct {
	kinds    map[Kind]*record
	requests int // answered so far
	probed   int // the number of the request in which a refused kind was last tried

	doubt int // one of this number of next messages will be refused; 0: not known
	limit int // most messages in a request; 0: no limit
	since int // messages accepted since the last refusal that no kind explains
}

// record has what is known of a kind.
type record struct {
	taken  bool   // the topic has accepted one since the sink was made
	streak int    // messages refused alone since then
	tried  int    // the number of the request in which one was last sent alone
	words  Result // the topic's own words
}

// refused reports whether the whole kind counts as refused. A kind that was never accepted needs fewer refusals.
func (k *record) refused() bool { return k.streak >= sure || k.streak >= sureNew && !k.taken }

// verdict is how a message is treated because of its kind.
type verdict uint8

const (
	free    verdict = iota // sent with others
	unknown                // sent with others, at most one of the kind
	suspect                // sent alone
	refused                // not sent
)

// NewRefusals returns Refusals without any knowledge.
func NewRefusals() *Refusals { return &Refusals{kinds: map[Kind]*record{}} }

// Selection divides the first messages of a window into those that are sent and those that are set aside.
type Selection struct {
	Send []int // indexes of the messages that are sent, ascending; at least one
	End  int   // all messages before this index are handled: sent, or set aside
}

// First returns the selection with only the first n sent messages, n at least 1.
func (s Selection) First(n int) Selection {
	if n < len(s.Send) {
		return Selection{Send: s.Send[:n], End: s.Send[n]}
	}
	return s
}

// aside yields the indexes of the messages that are set aside.
func (s Selection) aside(yield func(at int) bool) {
	sent := s.Send
	for at := range s.End {
		if len(sent) > 0 && sent[0] == at {
			sent = sent[1:]
		} else if !yield(at) {
			return
		}
	}
}

// Select returns which messages of a window are sent next. The window has at least one message.
func (r *Refusals) Select(msgs []Message) Selection {
	for i := range msgs {
		r.see(msgs[i].Kind)
	}
	if r.calm(msgs) {
		return first(r.most(len(msgs)))
	}
	types := r.types()
	verdicts := make([]verdict, len(msgs))
	for i := range msgs {
		verdicts[i] = r.verdict(msgs[i].Kind, types)
	}
	if at := r.probe(msgs, verdicts); at >= 0 {
		verdicts[at] = suspect
	}
	var s Selection
	seen, most := map[Kind]bool{}, r.most(len(msgs))
	for i := range msgs {
		kind, v := msgs[i].Kind, verdicts[i]
		switch {
		case v == refused:
			s.End, r.doubt = i+1, 0 // this may be the refused message
			continue
		case v == suspect && len(s.Send) == 0:
			return Selection{Send: []int{i}, End: i + 1}
		case v == suspect, v == unknown && seen[kind], len(s.Send) == most:
			return s
		}
		seen[kind] = true
		s.Send, s.End = append(s.Send, i), i+1
	}
	if len(s.Send) == 0 { // there is no other message to send: the request tries one
		return Selection{Send: []int{0}, End: min(len(msgs), mostAside)}
	}
	return s
}

// calm reports whether every message is free: no kind was refused last, and all kinds of the messages were accepted
// before.
func (r *Refusals) calm(msgs []Message) bool {
	if r.refuses() {
		return false
	}
	for i := range msgs {
		if k := msgs[i].Kind; k != (Kind{}) && !r.kinds[k].taken {
			return false
		}
	}
	return true
}

// refuses reports whether a kind was refused last.
func (r *Refusals) refuses() bool {
	for _, k := range r.kinds {
		if k.streak > 0 {
			return true
		}
	}
	return false
}

// first selects the first n messages.
func first(n int) Selection {
	s := Selection{Send: make([]int, n), End: n}
	for i := range s.Send {
		s.Send[i] = i
	}
	return s
}

// see makes the record of a new kind.
func (r *Refusals) see(k Kind) {
	if k != (Kind{}) && r.kinds[k] == nil {
		r.kinds[k] = &record{}
	}
}

// most returns how many of n messages a request may have.
func (r *Refusals) most(n int) int {
	if r.limit > 0 {
		n = min(n, r.limit)
	}
	if r.doubt > 0 {
		n = min(n, max(1, r.doubt/2))
	}
	return n
}

// probe returns the place of the message with which a refused kind is tried again now: the kind that has waited
// longest. Below 0: none.
func (r *Refusals) probe(msgs []Message, verdicts []verdict) int {
	if r.requests-r.probed < probeEvery {
		return -1
	}
	at, oldest := -1, 0
	for i := range msgs {
		if verdicts[i] != refused {
			continue
		}
		if tried := r.kinds[msgs[i].Kind].tried; at < 0 || tried < oldest {
			at, oldest = i, tried
		}
	}
	return at
}

// Settle takes the answers to a selection, one for each message sent, in order. whole says that the topic answered for
// all of them at once. It returns the results of the window's first messages. It returns none if the request was
// refused and must be sent again with fewer messages: the next Select chooses them.
func (r *Refusals) Settle(msgs []Message, s Selection, answers []Result, whole bool) []Result {
	r.requests++
	if whole && len(s.Send) > 1 && answers[0].Outcome == Reject {
		r.doubt = len(s.Send)
		return nil
	}
	types := r.types()
	results := answers // without messages that were set aside these are the results
	if s.End > len(s.Send) {
		results = make([]Result, s.End)
	}
	for at := range s.aside {
		results[at] = r.aside(msgs[at].Kind)
	}
	for i, at := range s.Send {
		results[at] = answers[i]
		if r.learn(msgs[at].Kind, answers[i], types) {
			return results[:at+1] // the others may be accepted now
		}
	}
	switch answers[0].Outcome {
	case Accepted:
		r.since += len(s.Send)
		r.doubt = max(0, r.doubt-len(s.Send))
		if r.limit > 0 {
			r.limit = max(r.limit, r.since)
		}
	case Reject:
		r.doubt = 0
	default: // no topic was reached, or the answer is not known: messages to set aside wait with the others
		for at := range s.aside {
			results[at] = answers[0]
		}
	}
	return results
}

// learn notes the result of a message that was sent alone, or accepted with others. It reports whether a refused kind
// is accepted again.
func (r *Refusals) learn(k Kind, answer Result, types map[string]tally) (again bool) {
	v := r.verdict(k, types)
	if answer.Outcome == Reject && (v == free || v == unknown) {
		r.limit, r.since = max(1, r.since/2), 0
	}
	if k == (Kind{}) || answer.Outcome != Reject && answer.Outcome != Accepted {
		return false
	}
	known := r.kinds[k]
	if answer.Outcome == Accepted {
		known.taken, known.streak = true, 0
		if v == refused {
			r.forget()
		}
		return v == refused
	}
	known.streak++
	known.tried, known.words = r.requests, answer
	if v == refused {
		r.probed = r.requests
	}
	return false
}

// forget drops the knowledge about refused kinds, because the topic has changed.
func (r *Refusals) forget() {
	for _, k := range r.kinds {
		k.streak = 0
	}
	r.doubt, r.limit, r.since = 0, 0, 0
}

// aside is the result of a message of a refused kind that was not sent.
func (r *Refusals) aside(k Kind) Result {
	words := r.words(k)
	return Failed(Reject, words.Code,
		words.Text+" (set aside without being sent: the topic refuses "+k.Data+" of "+k.Object+")")
}

// words returns the topic's own error for a refused kind, or for a kind with the same form of data.
func (r *Refusals) words(k Kind) Result {
	if own := r.kinds[k]; own.streak > 0 {
		return own.words
	}
	var latest record
	for other, known := range r.kinds {
		if other.Data == k.Data && known.streak > 0 && known.tried >= latest.tried {
			latest = *known
		}
	}
	return latest.words
}

// tally counts the kinds with one form of `data`: the seen ones, and of these the accepted ones and those that were
// refused last.
type tally struct{ seen, taken, refused int }

func (t tally) trusted() bool { return t.taken >= alike && t.refused == 0 }
func (t tally) refuses() bool { return t.refused >= alike && 2*t.refused >= t.seen && t.taken == 0 }

func (r *Refusals) types() map[string]tally {
	types := map[string]tally{}
	for kind, k := range r.kinds {
		t := types[kind.Data]
		t.seen++
		switch {
		case k.streak > 0:
			t.refused++
		case k.taken:
			t.taken++
		}
		types[kind.Data] = t
	}
	return types
}

func (r *Refusals) verdict(kind Kind, types map[string]tally) verdict {
	if kind == (Kind{}) {
		return free
	}
	k, like := r.kinds[kind], types[kind.Data]
	switch {
	case like.refuses(), k.refused():
		return refused
	case k.streak > 0:
		return suspect
	case k.taken, like.trusted():
		return free
	default:
		return unknown
	}
}

// mostNamed is how many refused kinds Words names one by one.
const mostNamed = 5

// Words returns one line about the refused kinds, with the topic's own words: "the topic's schema refuses text values
// and lists (InvalidArgument: …)"; "": the topic refuses no kind.
func (r *Refusals) Words() string {
	if !r.refuses() {
		return "" // Words is called after each request, so this must be cheap
	}
	types := r.types()
	var what []string
	var words record
	for _, data := range slices.Sorted(maps.Keys(types)) {
		if types[data].refuses() {
			what = append(what, data)
		}
	}
	var alone []string
	for _, kind := range slices.SortedFunc(maps.Keys(r.kinds),
		func(a, b Kind) int { return cmp.Or(cmp.Compare(a.Object, b.Object), cmp.Compare(a.Data, b.Data)) }) {
		if r.verdict(kind, types) != refused {
			continue
		}
		if k := r.kinds[kind]; k.tried > words.tried {
			words = *k
		}
		if !types[kind.Data].refuses() {
			alone = append(alone, kind.Data+" of "+kind.Object)
		}
	}
	if more := len(alone) - mostNamed; more > 0 {
		alone = append(alone[:mostNamed], fmt.Sprintf("%d more", more))
	}
	what = append(what, alone...)
	if len(what) == 0 {
		return ""
	}
	last := len(what) - 1
	list := what[last]
	if last > 0 {
		list = strings.Join(what[:last], ", ") + " and " + list
	}
	return "the topic's schema refuses " + list + " (" + words.words.Error() + ")"
}
