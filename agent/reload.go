package agent

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"noi-agent/configs"
	"noi-agent/objects"
)

// post is a place that somebody works at until he is told to stop.
type post struct {
	stop  context.CancelFunc // set when the work begins
	ended chan struct{}      // closed when it has ended
}

func newPost() *post { return &post{stop: func() {}, ended: make(chan struct{})} }

// begin lets f work until ctx ends or the post is stopped.
func (o *post) begin(ctx context.Context, f func(context.Context)) {
	ctx, o.stop = context.WithCancel(ctx)
	go func() {
		defer close(o.ended)
		defer o.stop()
		f(ctx)
	}()
}

// quit stops the work and waits for its end.
func (o *post) quit() {
	o.stop()
	<-o.ended
}

// shift is until when pollers and forwarders work.
type shift struct {
	polling    context.Context
	publishing context.Context
	draining   chan struct{} // closed when nothing new will come
}

func (w shift) start(pollers []*poller, forwarders []*forwarder) {
	for _, f := range forwarders {
		if f.cfg.Enabled {
			f.post.begin(w.publishing, func(ctx context.Context) { f.run(ctx, w.draining) })
		} else {
			close(f.post.ended)
		}
	}
	for _, p := range pollers {
		p.post.begin(w.polling, p.run)
	}
}

// reload is another configuration to be put in force.
type reload struct {
	config  *configs.Config
	catalog *objects.Catalog
	done    chan<- error
}

// Reload puts another valid configuration in force while the agent runs. Lines and integrations that did not
// change work on undisturbed; the others are stopped and begun anew, and what the outbox holds stays. device_id, state_dir and
// status need a restart: log and status say which of them changed. `log` is the caller's, who made the logger. It returns when the new configuration is in force. The error is
// ErrInForce when something failed on the way, or ctx's when the agent does not run: then nothing has changed.
func (a *Agent) Reload(ctx context.Context, config *configs.Config, catalog *objects.Catalog) error {
	done := make(chan error, 1)
	select {
	case a.reloads <- reload{config, catalog, done}:
		return <-done
	case <-ctx.Done():
		return fmt.Errorf("reload: %w", ctx.Err())
	}
}

// apply is Reload on the goroutine of Run.
func (a *Agent) apply(w shift, r reload) error {
	old := a.current()
	restart := a.needRestart(r.config)
	if a.configFile.taken(a.options.Now(), restart) {
		for _, key := range restart {
			a.log.Warn("this change needs a restart", "key", key)
		}
	}
	next := crew{config: r.config, catalog: r.catalog}
	families := reflect.DeepEqual(old.catalog, r.catalog)
	freshLines := a.keepLines(old, &next, families)
	freshForwarders, errs := a.keepForwarders(old, &next)

	errs = append(errs, a.store.SetLimits(a.limits(r.config)), a.store.SetIntegrations(known(r.config)))
	a.store.KeepAccounts(units(r.config))
	a.sampler.route(r.config.Integrations)
	a.clock.Wall.Set(r.config.Clock)
	for _, i := range freshForwarders {
		f := a.newForwarder(&r.config.Integrations[i])
		if at := slices.IndexFunc(old.forwarders, func(o *forwarder) bool { return o.cfg.ID == f.cfg.ID }); at >= 0 {
			f.inherit(old.forwarders[at])
		}
		next.forwarders[i] = f
	}
	for _, i := range freshLines {
		p := a.newPoller(next.pollers[i].cfg, r.catalog)
		if at := slices.IndexFunc(old.pollers, func(o *poller) bool { return o.cfg.Name == p.cfg.Name }); at >= 0 {
			p.inherit(old.pollers[at])
		}
		next.pollers[i] = p
	}
	a.mu.Lock()
	a.crew = next
	a.mu.Unlock()
	w.start(pick(next.pollers, freshLines), pick(next.forwarders, freshForwarders))
	for _, f := range next.forwarders {
		f.tryNow() // an operator who reloads has changed something
	}
	a.log.Info("configuration reloaded", "lines", len(next.pollers), "new_lines", len(freshLines),
		"integrations", len(next.forwarders), "new_integrations", len(freshForwarders))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrInForce, err)
	}
	return nil
}

// keepLines takes over the pollers of lines that did not change and stops the others. It returns where in next new ones are
// needed; their places hold only the line.
func (a *Agent) keepLines(old crew, next *crew, families bool) (fresh []int) {
	kept := map[*poller]bool{}
	for i := range next.config.Lines {
		line := &next.config.Lines[i]
		if !line.Enabled {
			continue
		}
		at := slices.IndexFunc(old.pollers, func(p *poller) bool { return families && reflect.DeepEqual(p.cfg, line) })
		if at >= 0 {
			kept[old.pollers[at]] = true
			next.pollers = append(next.pollers, old.pollers[at])
			continue
		}
		fresh = append(fresh, len(next.pollers))
		next.pollers = append(next.pollers, &poller{cfg: line})
	}
	for _, p := range old.pollers {
		if !kept[p] {
			p.post.quit()
		}
	}
	return fresh
}

// keepForwarders is keepLines for integrations. Each has a place in next.
func (a *Agent) keepForwarders(old crew, next *crew) (fresh []int, errs []error) {
	kept := map[*forwarder]bool{}
	next.forwarders = make([]*forwarder, len(next.config.Integrations))
	for i := range next.config.Integrations {
		at := slices.IndexFunc(old.forwarders, func(f *forwarder) bool {
			return reflect.DeepEqual(*f.cfg, next.config.Integrations[i]) && !outdated(f.sink)
		})
		if at < 0 {
			fresh = append(fresh, i)
			continue
		}
		kept[old.forwarders[at]] = true
		next.forwarders[i] = old.forwarders[at]
	}
	for _, f := range old.forwarders {
		if kept[f] {
			continue
		}
		f.post.quit()
		if err := f.sink.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", f.cfg.ID, err))
		}
	}
	return fresh, errs
}

// outdated reports whether a sink has to be made anew although its configuration did not change: the files that it was made of did.
func outdated(sink Sink) bool {
	s, ok := sink.(interface{ Outdated() bool })
	return ok && s.Outdated()
}

func pick[T any](all []T, which []int) []T {
	out := make([]T, len(which))
	for i, n := range which {
		out[i] = all[n]
	}
	return out
}
