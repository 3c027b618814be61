package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"noi-agent/agent/poll"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/objects"
)

// lifetimes has the contexts that end pollers and forwarders.
type lifetimes struct {
	polling    context.Context
	publishing context.Context
	draining   chan struct{} // closed when there will be no new samples
}

func (w lifetimes) start(pollers []*poll.Poller, forwarders []*publish.Forwarder) {
	for _, f := range forwarders {
		if f.Integration().Enabled {
			f.Start(w.publishing, w.draining)
		} else {
			f.Skip()
		}
	}
	for _, p := range pollers {
		p.Start(w.polling)
	}
}

// reload is a new configuration to apply. An edit changes only integrations.
type reload struct {
	config  *configs.Config // of an edit: nil
	catalog *objects.Catalog
	edit    []configs.Integration // all integrations; used if config is nil
	done    chan<- error
}

// Reload applies another valid configuration while the agent runs, and returns when it is active. Unchanged lines and
// integrations keep running. The others are stopped and started again. The content of the outbox stays. The keys
// device_id, state_dir and status need a restart: log and status show which of them have changed. The caller applies
// the key log, because it made the logger. If a part of the reload fails, the error is ErrInForce. If the agent does
// not run, the error is ctx's, and nothing has changed.
func (a *Agent) Reload(ctx context.Context, config *configs.Config, catalog *objects.Catalog) error {
	return a.put(ctx, reload{config: config, catalog: catalog})
}

// EditIntegrations applies a new set of integrations while the agent runs. Lines, unchanged integrations and their
// waits, and the problems about the configuration file do not change. EditIntegrations returns, and fails, as Reload
// does.
func (a *Agent) EditIntegrations(ctx context.Context, all []configs.Integration) error {
	return a.put(ctx, reload{edit: all})
}

// put gives r to the goroutine of Run, and waits until it is applied.
func (a *Agent) put(ctx context.Context, r reload) error {
	done := make(chan error, 1)
	r.done = done
	select {
	case a.reloads <- r:
		return <-done
	case <-a.ending:
		return errors.New("reload: the agent ends")
	case <-ctx.Done():
		return fmt.Errorf("reload: %w", ctx.Err())
	}
}

// apply applies a reload. It runs on the goroutine of Run.
func (a *Agent) apply(w lifetimes, r reload) error {
	old := a.current()
	isEdit := r.config == nil
	if isEdit {
		edited := *old.config
		edited.Integrations = r.edit
		r.config, r.catalog = &edited, old.catalog
	} else {
		a.noteFile(r.config)
	}
	next := workers{config: r.config, catalog: r.catalog}
	families := reflect.DeepEqual(old.catalog, r.catalog)
	freshLines := a.keepLines(old, &next, families)
	freshForwarders, errs := a.keepForwarders(old, &next, isEdit)

	errs = append(errs, a.store.SetLimits(a.limits(r.config)), a.store.SetIntegrations(known(r.config)))
	a.store.KeepAccounts(sampled(r.config, r.catalog))
	_, uptime := a.clock.Wall.Read()
	a.sampler.route(r.config.Integrations, uptime)
	a.clock.Wall.Set(r.config.Clock)
	for _, i := range freshForwarders {
		f := a.newForwarder(&r.config.Integrations[i])
		if at := slices.IndexFunc(old.forwarders,
			func(o *publish.Forwarder) bool { return o.Integration().ID == f.Integration().ID }); at >= 0 {
			f.Inherit(old.forwarders[at])
		}
		next.forwarders[i] = f
	}
	for i, line := range freshLines {
		p := poll.New(line, a.pollerOptions(r.catalog))
		if at := slices.IndexFunc(old.pollers,
			func(o *poll.Poller) bool { return o.Line().Name == p.Line().Name }); at >= 0 {
			p.Inherit(old.pollers[at])
		}
		next.pollers[i] = p
	}
	a.mu.Lock()
	a.workers = next
	a.mu.Unlock()
	w.start(pick(next.pollers, slices.Sorted(maps.Keys(freshLines))), pick(next.forwarders, freshForwarders))
	for i, f := range next.forwarders {
		if !isEdit || slices.Contains(freshForwarders, i) {
			f.TryNow() // an operator who reloads has changed something
		}
	}
	a.log.Info("configuration reloaded", "lines", len(next.pollers), "new_lines", len(freshLines),
		"integrations", len(next.forwarders), "new_integrations", len(freshForwarders))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrInForce, err)
	}
	return nil
}

// noteFile notes that a configuration file is active, and logs the keys that need a restart.
func (a *Agent) noteFile(config *configs.Config) {
	restart := a.needRestart(config)
	if a.configFile.taken(a.options.Now(), restart) {
		for _, key := range restart {
			a.log.Warn("this change needs a restart", "key", key)
		}
	}
}

// keepLines copies the pollers of unchanged lines to next, and stops the others. It returns the lines that need a new
// poller, by their index in next.pollers. families is true if the catalogue has not changed.
func (a *Agent) keepLines(old workers, next *workers, families bool) (fresh map[int]*configs.Line) {
	kept := map[*poll.Poller]bool{}
	fresh = map[int]*configs.Line{}
	for i := range next.config.Lines {
		line := &next.config.Lines[i]
		if !line.Enabled {
			continue
		}
		at := slices.IndexFunc(old.pollers, func(p *poll.Poller) bool {
			return families &&
				reflect.DeepEqual(p.Line(), line)
		})
		if at >= 0 {
			kept[old.pollers[at]] = true
			next.pollers = append(next.pollers, old.pollers[at])
			continue
		}
		fresh[len(next.pollers)] = line
		next.pollers = append(next.pollers, nil)
	}
	for _, p := range old.pollers {
		if !kept[p] {
			p.Stop()
		}
	}
	return fresh
}

// keepForwarders copies the forwarders of unchanged integrations to next, and stops the others. It returns the indexes
// of the integrations that need a new forwarder. A reload also restarts integrations whose files (credentials,
// certificates) have changed; an edit does not.
func (a *Agent) keepForwarders(old workers, next *workers, isEdit bool) (fresh []int, errs []error) {
	kept := map[*publish.Forwarder]bool{}
	next.forwarders = make([]*publish.Forwarder, len(next.config.Integrations))
	for i := range next.config.Integrations {
		at := slices.IndexFunc(old.forwarders, func(f *publish.Forwarder) bool {
			return reflect.DeepEqual(*f.Integration(), next.config.Integrations[i]) && (isEdit || !f.Outdated())
		})
		if at < 0 {
			fresh = append(fresh, i)
			continue
		}
		kept[old.forwarders[at]] = true
		next.forwarders[i] = old.forwarders[at]
	}
	var stops sync.WaitGroup // in parallel, because each may wait for its requests in flight
	for _, f := range old.forwarders {
		if !kept[f] {
			stops.Go(f.Stop)
		}
	}
	stops.Wait()
	for _, f := range old.forwarders {
		if !kept[f] {
			errs = append(errs, f.CloseSink())
		}
	}
	return fresh, errs
}

func pick[T any](all []T, which []int) []T {
	out := make([]T, len(which))
	for i, n := range which {
		out[i] = all[n]
	}
	return out
}
