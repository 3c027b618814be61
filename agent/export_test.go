package agent

import "noi-agent/agent/poll"

// FailedBefore has the next start of a state directory find that its disk has failed often enough.
func FailedBefore(memory, stateDir string) error {
	return failuresOf(memory, stateDir).set(failuresMost)
}

// Hold keeps the samples of the lines from the store until open is closed. The agent must not run yet.
func Hold(a *Agent, open <-chan struct{}) {
	in, gate := a.sampler.in, make(chan *poll.Sweep)
	a.sampler.in = gate
	go func() {
		defer close(gate)
		<-open
		for s := range in {
			gate <- s
		}
	}()
}
