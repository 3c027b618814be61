package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
)

// The topics of the demo configuration, and the bits of a character on the line.
const (
	topicARN  = "arn:aws:sns:us-east-2:393221637266:MainSolarData"
	topicName = "projects/test-project/topics/MainSolarData"
	charBits  = 11 // 8N2: start, eight data and two stop bits; as many as 8E1
)

// world is the simulated line and the simulated clouds.
type world struct {
	pty    *modbustest.PTY
	link   string
	fleet  *fleet
	sns    *standin.SNS
	pubsub *standin.PubSub

	served sync.WaitGroup

	faults  *faults
	control *control

	snsTally, pubsubTally *tally
}

// openWorld starts the clouds, the line and the control socket. It calls show with each message that a cloud accepts,
// and fault with each later error. Any goroutine may call show and fault. The caller closes the world.
func openWorld(o runOptions, f *fleet, show func([]byte), fault func(error)) (*world, error) {
	w := &world{fleet: f, faults: newFaults(), snsTally: newTally(), pubsubTally: newTally()}
	for _, open := range []func() error{
		// The ports come first: only the process that has the ports may replace the link.
		func() error { return w.openClouds(o, show) },
		func() error { return w.openLine(o, fault) },
		func() (err error) { w.control, err = openControl(o.Dir, w); return err },
	} {
		if err := open(); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

func (w *world) openClouds(o runOptions, show func([]byte)) (err error) {
	onMessage := func(t *tally) func(standin.Message) {
		return func(m standin.Message) {
			t.take(m.Body)
			show(m.Body)
		}
	}
	w.sns, err = standin.StartSNS(standin.SNSOptions{
		Addr: o.SNS, Topics: []string{topicARN}, OnMessage: onMessage(w.snsTally), Forget: true,
	})
	if err != nil {
		return taken("SNS", o.SNS, err)
	}
	w.pubsub, err = standin.StartPubSub(standin.PubSubOptions{
		Addr: o.PubSub, Topics: []string{topicName}, OnMessage: onMessage(w.pubsubTally), Forget: true,
	})
	if err != nil {
		return taken("Pub/Sub", o.PubSub, err)
	}
	w.sns.SetFault(func(r standin.Request) *standin.Fault { w.snsTally.watch(r); return w.faults.ofSNS() })
	w.pubsub.SetFault(func(r standin.Request) *standin.Fault { w.pubsubTally.watch(r); return w.faults.ofPubSub() })
	return nil
}

// watch counts the messages of a request, before the cloud accepts or refuses them.
func (t *tally) watch(r standin.Request) { t.offer(len(r.Messages)) }

// taken returns the error for a cloud that does not start. If another process uses the address, the error says so.
func taken(cloud, addr string, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("start the %s stand-in: %w", cloud, err)
	}
	_, port, _ := net.SplitHostPort(addr) // it has no error: the listener accepted the address
	return fmt.Errorf("start the %s stand-in: %s is taken, perhaps by another noi-sim; stop what holds it (ss -ltnp "+
		"'sport = :%s' names it)",
		cloud, addr, port)
}

func (w *world) openLine(o runOptions, fault func(error)) (err error) {
	if w.pty, err = modbustest.OpenPTY(o.Baud, charBits); err != nil {
		return err
	}
	w.fleet.started = time.Now()
	for _, u := range w.fleet.units {
		u.slave.Script = w.faults.onLine(u.id, w.pty.Path(), o)
	}
	w.served.Go(func() {
		if err := w.pty.Serve(context.Background(), w.fleet.slaves()...); err != nil {
			fault(err)
		}
	})
	w.link, err = placeLink(o.Dir, w.pty.Path())
	return err
}

// env returns the environment variables for the command, as NAME=VALUE.
func (w *world) env() []string {
	// The endpoints are for integrations whose configuration has none: these must not send to a real cloud.
	return append(w.sns.Env(), "AWS_ENDPOINT_URL_SNS="+w.sns.URL(), "PUBSUB_EMULATOR_HOST="+w.pubsub.Addr())
}

// close ends everything that was opened, and waits until it has ended.
func (w *world) close() error {
	var faults []error
	if w.control != nil {
		faults = append(faults, w.control.close())
	}
	if w.link != "" {
		faults = append(faults, removeLink(w.link, w.pty.Path()))
	}
	if w.pty != nil {
		faults = append(faults, w.pty.Close())
	}
	if w.sns != nil {
		faults = append(faults, w.sns.Close())
	}
	if w.pubsub != nil {
		faults = append(faults, w.pubsub.Close())
	}
	w.served.Wait()
	return errors.Join(faults...)
}
