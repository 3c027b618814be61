package e2e

import (
	"net/http"
	"time"

	"noi-agent/configs"
)

// collects is the publish_every of the integrations that collect.
const collects = 2 * time.Second

// removeWhileItCollects removes an integration with samples that wait for its next publication. A twin publishes at
// the same moments. When the twin has sent three later publications, a forwarder that was not stopped would have sent
// the waiting samples.
func (w *raceWorld) removeWhileItCollects() {
	w.t.Helper()
	removed, twin := w.collector("removed"), w.collector("twin")
	newest := func(l *life) (read time.Time) { // time of the read of the newest value that the cloud has
		if has := w.received(l.id, w.sns.Messages()); len(has) > 0 {
			w.mu.Lock()
			defer w.mu.Unlock()
			read = w.read[has[len(has)-1]]
		}
		return read
	}
	eventually(w.t, "both publish", func() bool { return !newest(removed).IsZero() && !newest(twin).IsZero() })
	etag := ""
	eventually(w.t, "samples wait for the next publication", func() bool {
		e, _ := w.entry(removed.id)
		etag = e.ETag
		return e.State != nil && e.State.Backlog > 3
	})
	w.do(edit{of: removed, method: "DELETE", path: "/" + removed.id, etag: etag, want: http.StatusNoContent})
	later := time.Now().Add(3 * collects)
	eventually(w.t, "the twin publishes three times", func() bool { return newest(twin).After(later) })
	e, _ := w.entry(twin.id)
	w.do(edit{of: twin, method: "DELETE", path: "/" + twin.id, etag: e.ETag, want: http.StatusNoContent})
}

// collector creates an integration with publish_every.
func (w *raceWorld) collector(name string) *life {
	w.t.Helper()
	l := &life{id: configs.DeriveID(name), name: name}
	w.lives = append(w.lives, l)
	objects := []string{"Ahc_r", "Ahl_t"}
	w.do(edit{of: l, method: "POST", objects: objects, want: http.StatusCreated, body: map[string]any{"name": name, "type": "aws",
		"topic_arn": testTopicARN, "endpoint": w.sns.URL(), "objects": objects, "publish_every": collects.String()}})
	return l
}
