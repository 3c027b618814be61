package agent

import "noi-agent/agent/poll"

// FailedBefore makes the next start of a state directory believe that its disk has failed often enough.
func FailedBefore(memory, stateDir string) error {
	return failuresOf(memory, stateDir).set(failuresMost)
}

// Hold keeps the samples of the lines from the store until open is closed. Call it before the agent runs.
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
