package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
)

// runWorld starts the simulated clouds and controllers, runs the command until it ends, and stops everything. It
// returns the exit code.
func runWorld(o runOptions, f *fleet, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	s := &session{o: o, stderr: stderr, broken: make(chan error, 8), asked: make(chan *agentReport, 1)}
	screen := startScreen(stdout, func(err error) { s.breaks(fmt.Errorf("print the messages: %w", err)) })
	stopScreen := sync.OnceFunc(screen.close)
	defer stopScreen()

	w, err := openWorld(o, f, screen.show, s.breaks)
	if err != nil {
		fmt.Fprintf(stderr, "noi-sim: %v\n", err)
		return exitFailed
	}
	if len(f.units) > 1 {
		fmt.Fprintf(stderr, "noi-sim: on %s: %v\n", w.link, f)
	}
	if len(o.Command) == 0 {
		guide(stderr, w, o)
		s.stand(signals)
	} else {
		screen.show([]byte("status page: http://" + o.Status + "/"))
		s.play(w, signals)
	}
	if err := w.close(); err != nil {
		s.fault(fmt.Errorf("end the simulation: %w", err))
	}
	stopScreen()
	s.drain()
	summarize(stdout, w, s.report, s.faults)
	if len(s.faults) > 0 {
		return exitFailed
	}
	return exitDone
}

// session is the run of one command.
type session struct {
	o      runOptions
	stderr io.Writer
	broken chan error // errors of the simulation while the command runs
	asked  chan *agentReport

	interrupts int
	report     *agentReport // nil: not known
	faults     []error
}

// breaks reports an error of the simulation. Any goroutine may call it. It never waits: if broken is full, the error is
// dropped.
func (s *session) breaks(err error) {
	select {
	case s.broken <- err:
	default:
	}
}

// drain records the errors that came while everything was being closed.
func (s *session) drain() {
	for {
		select {
		case err := <-s.broken:
			s.fault(err)
		default:
			return
		}
	}
}

// fault records an error and prints it.
func (s *session) fault(err error) {
	s.faults = append(s.faults, err)
	fmt.Fprintf(s.stderr, "noi-sim: %v\n", err)
}

// stand waits for Ctrl-C, or for an error of the simulation.
func (s *session) stand(signals <-chan os.Signal) {
	select {
	case <-signals:
	case err := <-s.broken:
		s.fault(err)
	}
}

// play runs the command until it ends.
func (s *session) play(w *world, signals <-chan os.Signal) {
	c, err := startChild(s.o.Command, childEnv(os.Environ(), w.env()), s.stderr)
	if err != nil {
		s.fault(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	ask := func() {
		asking.Go(func() { s.asked <- askAgent(ctx, s.o.Status) })
	}
	for {
		select {
		case <-signals:
			s.interrupt(c, ask)
		case err := <-s.broken:
			s.fault(err)
			if s.interrupts == 0 {
				s.interrupt(c, ask)
			}
		case s.report = <-s.asked:
			c.terminate()
		case end := <-c.ended:
			s.conclude(c, end)
			return
		}
	}
}

// interrupt handles one Ctrl-C. The first reads the status of the agent; after the answer, play sends SIGTERM to the
// command. The next one kills the command.
func (s *session) interrupt(c *child, ask func()) {
	s.interrupts++
	if s.interrupts == 1 {
		ask()
		return
	}
	c.kill()
}

// conclude records how the command ended.
func (s *session) conclude(c *child, end error) {
	if err := c.verdict(end); err != nil {
		s.fault(err)
	}
	if s.interrupts == 0 {
		fmt.Fprintf(s.stderr, "noi-sim: the command ended\n")
	}
}
