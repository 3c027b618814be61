package agent

import (
	"cmp"
	"time"
)

// refuser is a sink that learns which kinds of samples a topic refuses as such.
type refuser interface {
	Refuses() string // the kinds, in one line; "": none
}

// noteRefusals notes what the sink has learnt by the last attempt.
func (f *forwarder) noteRefusals(at time.Time) {
	sink, ok := f.sink.(refuser)
	if !ok {
		return
	}
	words := sink.Refuses()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case words != "" && f.view.refuses == "":
		f.view.refusesSince = at
		f.log.Warn("samples are set aside", "error", words)
	case words == "" && f.view.refuses != "":
		f.log.Info("the topic takes all kinds of samples again")
	}
	f.view.refuses = words
}

// fault is what the status shows as the last error: that of the last attempt, or what the topic refuses all the time.
func (v *integrationView) fault() string { return cmp.Or(v.lastError, v.refuses) }
