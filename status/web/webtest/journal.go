package webtest

import (
	"context"
	"log/slog"
	"time"

	"noi-agent/status/logs"
)

// Journal returns the log of the scene.
func (s *Scene) Journal() *logs.Ring {
	ring := new(logs.Ring)
	h := logs.NewHandler(ring, slog.DiscardHandler)
	write := func(ago time.Duration, level slog.Level, text string, attrs ...slog.Attr) {
		r := slog.NewRecord(at(ago), level, text, 0)
		r.AddAttrs(attrs...)
		_ = h.Handle(context.Background(), r) // the ring takes everything
	}
	up := time.Duration(s.State.UptimeS) * time.Second
	write(up, slog.LevelInfo, "ready", slog.String("page", "http://127.0.0.1:8780"),
		slog.Int("lines", len(s.State.Lines)), slog.Int("integrations", len(s.State.Integrations)))
	for i := len(s.State.Problems) - 1; i >= 0; i-- {
		p := &s.State.Problems[i]
		write(Moment().Sub(p.Since), slog.LevelWarn, p.Title, slog.String("code", p.Code),
			slog.String("subject", p.Subject), slog.String("detail", p.Detail))
	}
	return ring
}
