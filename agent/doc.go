// Package agent is the running program: it connects lines, outbox and clouds, reloads, reports, and ends in order. The
// work is in other packages: poll reads a line, store keeps, publish sends for an integration, clock judges the wall
// clock.
//
// The way of a sample: a Poller hands a sweep on; the sampler gives each sample its number and its routes, and offers
// the sweep to the store; each Forwarder publishes from its own cursor and settles each result (docs/architecture.md).
//
// Promises:
//
//   - Run returns when every goroutine has ended. Shutdown: stop polling, commit, a last publish within the grace
//     period, settle, close. Abort ends the grace period at once.
//   - A reload stops only lines and integrations whose configuration changed. No sample is lost or sent twice by it.
//   - A disk that fails does not end the sampling: after three failures the outbox is kept in memory, and a problem
//     says so.
//   - What is wrong is data: status/api/catalogue.go has the one table of everything that can be wrong, with its
//     remedy.
//
// Failure: New fails only when no sample can be kept at all. Run returns the store's error when the store has stopped
// itself, because the agent cannot promise anything after that.
//
// In reading order:
//
//   - agent.go: Options, New, Run
//   - sampler.go, ledger.go, unnamed.go, change.go, alarmsignals.go: numbers and routes; gaps; `when: change`; alarms
//   - reload.go, configfile.go: another configuration while the agent runs
//   - status.go, storehealth.go, filling.go, triggers.go, metrics.go: reports
//   - problems.go, problemlog.go, sentence.go: what is wrong, as it is shown, logged and said in one line
//   - readnow.go, replays.go, deadletters.go, export.go: what an operator asks for
//   - memory.go, memorydir.go: a disk that fails
//   - identity.go: the device id
//
// Use:
//
//	a, err := agent.New(agent.Options{
//		Config: config, Catalog: catalog, Version: "0.1.0", Logger: log, NewSink: newSink,
//	})
//	if err != nil {
//		return err // the store cannot be used; ports and clouds that are down are no error
//	}
//	err = a.Run(ctx) // until ctx ends
package agent
