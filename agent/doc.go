// Package agent is the running program: it connects lines, outbox and clouds, reloads, reports, and ends in order. The
// work is in other packages: poll reads a line, store keeps the samples, publish sends the samples of an integration,
// clock judges the wall clock.
//
// The way of a sample (docs/architecture.md): a Poller hands a sweep to the sampler. The sampler gives each sample its
// number and its routes, and offers the sweep to the store. Each Forwarder publishes from its own cursor and settles
// each result.
//
// Promises:
//
//   - Run returns when every goroutine has ended. A shutdown has these steps: stop polling, commit, publish once more
//     within the grace period, settle, close. Abort ends the grace period at once.
//   - A reload stops only lines and integrations whose configuration changed. It loses no sample and sends none twice.
//   - A failing disk does not end the sampling: after three failures the outbox is kept in memory, and the status
//     shows a problem.
//   - All problems and their remedies are in one table: status/api/catalogue.go.
//
// Failure: New fails only if no sample can be kept at all. Run returns the store's error if the store has stopped,
// because the agent cannot promise anything after that.
//
// In reading order:
//
//   - agent.go: Options, New, Run
//   - sampler.go, ledger.go, routing.go, unnamed.go, change.go, alarmsignals.go: numbers and routes; gaps;
//     `when: change`; alarms
//   - reload.go, configfile.go: another configuration while the agent runs
//   - status.go, storehealth.go, filling.go, triggers.go, trigger.go, filters.go, history.go, metrics.go: reports
//   - problems.go, problemlog.go, sentence.go: the problems, as list, in the log, and as one sentence
//   - readnow.go, replays.go, deadletters.go, export.go, gaps.go: requests of an operator
//   - memory.go, memorydir.go: a disk that fails
//   - identity.go: the device id
//
// Use:
//
//	a, err := agent.New(agent.Options{
//		Config: config, Catalog: catalog, Version: "0.1.0", Logger: log, NewSink: newSink,
//	})
//	if err != nil {
//		return err // the store cannot be used; an unavailable port or cloud is no error
//	}
//	err = a.Run(ctx) // until ctx ends
package agent
