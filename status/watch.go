package status

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"noi-agent/status/api"
	"noi-agent/status/events"
	"noi-agent/status/logs"
)

const (
	// lookEvery is how often the agent's state is compared while a client watches.
	lookEvery = time.Second
	// statusEvery is after how many comparisons counters and ages are sent. A changed state is sent at once.
	statusEvery = 10
	// linger is how many comparisons follow after the last client has disconnected. If it connects again meanwhile, it
	// gets the missed events.
	linger = 30
	// mostNews is the most rows or lines that are sent after one comparison. If there are more, the clients fetch them.
	mostNews = 50
)

// watch compares the agent's state once a second while a client watches, and publishes the changes. Without a watching
// client it does nothing.
type watch struct {
	o   *Options
	hub *events.Hub

	mu      sync.Mutex
	running bool
	stopped chan struct{}
	ended   sync.WaitGroup

	// Of the goroutine that looks.
	looks      int
	valueLooks uint64                 // number of looks at the values
	states     string                 // the part of the status whose change is an event at once
	problems   string                 // the part of the problems whose change is an event
	counters   uint64                 // counters that grow with the trigger log
	values     map[valueKey]sentValue // as sent last
	rows       map[uint64]rowState    // of the trigger log: the newest, as sent last
	line       uint64                 // the last line of the log
}

// valueKey names an object.
type valueKey struct {
	line, object string
	unit         int
}

// sentValue is a value as it was sent last.
type sentValue struct {
	at   time.Time
	text string // JSON
	look uint64 // the last look that has found the object
}

// rowState has the fields of a row that change when it is tried again.
type rowState struct {
	completed string
	attempts  int
	success   bool
}

func newWatch(o *Options) *watch {
	return &watch{o: o, hub: events.New(o.Run), stopped: make(chan struct{}), rows: map[uint64]rowState{}}
}

// join begins to watch. The state at its return makes no event.
func (w *watch) join(topics events.Topic, last string) (*events.Watcher, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running {
		w.hub.Forget()
		w.look(false)
	}
	watcher, err := w.hub.Join(topics, last)
	if err == nil && !w.running {
		w.running = true
		w.ended.Go(w.run)
	}
	return watcher, err
}

// run compares the state until no client has watched for a while.
func (w *watch) run() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for alone := 0; ; {
		select {
		case <-w.stopped:
			return
		case <-ticker.C:
		}
		if alone++; w.hub.Watched() != 0 {
			alone = 0
		}
		w.look(true)
		if alone > linger && w.rest() {
			return
		}
	}
}

// rest ends run, except if a client has connected.
func (w *watch) rest() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hub.Watched() != 0 {
		return false
	}
	w.running, w.values = false, nil
	clear(w.rows)
	w.hub.Forget() // the next client would do the same
	return true
}

// close ends all streams, and the looking.
func (w *watch) close() {
	w.hub.Close()
	w.mu.Lock()
	close(w.stopped)
	w.mu.Unlock()
	w.ended.Wait()
}

// look publishes the changes since the last look. The first look only notes the state.
func (w *watch) look(publish bool) {
	s := w.o.Reporter.Status()
	w.lookAtStatus(&s, publish)
	w.lookAtValues(publish)
	w.lookAtTriggers(&s, publish)
	w.lookAtLogs(publish)
}

// publish sends an event. The types of the API always encode.
func (w *watch) publish(topic events.Topic, name string, v any) {
	if body, err := encode(v); err == nil {
		w.hub.Publish(topic, name, bytes.TrimSuffix(body, []byte("\n")))
	}
}

func (w *watch) lookAtStatus(s *api.Status, publish bool) {
	states, problems := statesOf(s), problemsOf(s.Problems)
	w.looks++
	if publish && problems != w.problems {
		w.publish(events.Status, api.EventProblem, api.Problems{Problems: s.Problems})
	}
	if publish && (states != w.states || problems != w.problems || w.looks >= statusEvery) {
		w.publish(events.Status, api.EventStatus, s)
		w.looks = 0
	}
	w.states, w.problems = states, problems
}

// statesOf returns the part of a status whose change is an event at once: the states, without counters and ages.
func statesOf(s *api.Status) string {
	text := []byte(s.Clock.State)
	add := func(words ...string) {
		for _, word := range words {
			text = append(append(text, 0), word...)
		}
	}
	for i := range s.Lines {
		l := &s.Lines[i]
		add(l.Name, l.State)
		for j := range l.Slaves {
			add(strconv.Itoa(l.Slaves[j].UnitID), l.Slaves[j].Slave, l.Slaves[j].State)
		}
	}
	for i := range s.Integrations {
		add(s.Integrations[i].ID, s.Integrations[i].Name, s.Integrations[i].State)
	}
	return string(text)
}

// problemsOf returns the part of the problems whose change is an event: the list, without ages.
func problemsOf(problems []api.Problem) string {
	var text []byte
	for i := range problems {
		p := &problems[i]
		for _, word := range []string{p.Code, p.Subject, string(p.Severity), string(p.Effect)} {
			text = append(append(text, 0), word...)
		}
	}
	return string(text)
}

func (w *watch) lookAtValues(publish bool) {
	if w.values == nil {
		w.values = map[valueKey]sentValue{}
	}
	w.valueLooks++
	rows := w.o.Reporter.Objects().Objects
	news := []api.Latest{}
	for i := range rows {
		r := &rows[i]
		key := valueKey{r.Line, r.Object, r.UnitID}
		sent, known := w.values[key]
		if !known || !sent.at.Equal(r.SampledAt) || sent.text != string(r.Value) {
			sent.at, sent.text = r.SampledAt, string(r.Value)
			news = append(news, *r)
		}
		sent.look = w.valueLooks
		w.values[key] = sent
	}
	maps.DeleteFunc(w.values, func(_ valueKey, v sentValue) bool { return v.look != w.valueLooks })
	if publish && len(news) > 0 {
		w.publish(events.Values, api.EventValues, api.Objects{Objects: news})
	}
}

// lookAtTriggers reads the newest rows, when the counters say that there are new ones, and with each status.
func (w *watch) lookAtTriggers(s *api.Status, publish bool) {
	counters, limit := countersOf(s.Integrations), mostNews
	if publish && w.looks > 0 { // otherwise all rows: a row may change without the counters
		limit = int(min(counters-w.counters, mostNews)) // a counter that falls makes it many
	}
	if limit == 0 {
		return
	}
	log, err := w.o.TriggerLog.Triggers(api.TriggerQuery{Limit: limit})
	if err != nil {
		return // the next look is in a second; the page of the trigger log shows the error
	}
	news := []*api.Trigger{}
	for i := range slices.Backward(log.Triggers) {
		row := &log.Triggers[i]
		now := rowState{row.CompletedAt, row.Attempts, row.Success}
		if before, known := w.rows[row.ID]; !known || before != now {
			w.rows[row.ID] = now
			news = append(news, row)
		}
	}
	w.counters = counters
	w.forgetRows()
	switch {
	case !publish:
	case len(news) == mostNews: // there may be more
		w.hub.Missed(events.Triggers)
	default:
		for _, row := range news {
			w.publish(events.Triggers, api.EventTrigger, row)
		}
	}
}

// forgetRows keeps the newest rows that were sent.
func (w *watch) forgetRows() {
	if len(w.rows) <= 2*mostNews {
		return
	}
	ids := slices.Sorted(maps.Keys(w.rows))
	for _, id := range ids[:len(ids)-mostNews] {
		delete(w.rows, id)
	}
}

// countersOf returns a number that grows by at least one with each row of the trigger log.
func countersOf(integrations []api.Integration) (n uint64) {
	for i := range integrations {
		in := &integrations[i]
		n += in.Sent + in.Failed + in.Dropped + in.Replayed
	}
	return n
}

func (w *watch) lookAtLogs(publish bool) {
	if w.o.Logs == nil {
		return
	}
	last := w.o.Logs.Last()
	switch {
	case !publish || last == w.line:
	case last-w.line > mostNews:
		w.hub.Missed(events.Logs)
	default:
		for _, l := range w.o.Logs.Lines(logs.Query{After: w.line, Level: logs.Everything}) {
			last = l.N
			w.publish(events.Logs, api.EventLog, l)
		}
	}
	w.line = last
}
