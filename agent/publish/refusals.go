package publish

import (
	"cmp"
	"time"
)

// noteRefusals notes what the sink has learnt by the last attempt.
func (f *Forwarder) noteRefusals(at time.Time) {
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

// fault is the text that the status shows as the last error: that of the last attempt, or the kinds of samples that the
// topic always refuses.
func (v *integrationView) fault() string { return cmp.Or(v.lastError, v.refuses) }
