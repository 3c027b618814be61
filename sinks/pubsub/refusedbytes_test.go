package pubsub_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
)

// refusedShares are the shares of the objects that a topic refuses, in percent. halving is the result of the version
// before for one window of 1,000: it halved each refused request from the full window and learnt nothing. The unit is
// the bytes of a topic that refuses nothing.
func refusedShares() []struct {
	percent int
	halving float64
} {
	return []struct {
		percent int
		halving float64
	}{{0, 1}, {1, 49.1}, {10, 326.4}, {30, 826.2}, {100, 1093.2}}
}

// refusedSweep is one sweep of a hundred objects. Every fourth of them is a text.
func refusedSweep(at time.Time) (msgs []sinks.Message) {
	e := sinks.Envelope{PublishedAt: at, DeviceID: "5300520006504b5957343920", IntegrationID: "FFjU28MMaL3W9B9hhhhH",
		Source: objects.Source{Line: "rs485", UnitID: 1, Slave: "PS-PWM-30M", Firmware: "v01.04.06", FWVersion: "PSPWM 1.0.10"}}
	for i := range 100 {
		e.Sample = objects.Sample{Object: fmt.Sprintf("o%02d", i), Value: objects.Number(float64(i) + 1.0/128), SampledAt: at}
		if i%4 == 3 {
			e.Sample.Value = objects.Text("NIGHT_CHECK")
		}
		id := objects.SampleID(e.DeviceID, "00c0ffee", 3, uint64(at.Unix())*100+uint64(i))
		msgs = append(msgs, sinks.Message{
			Body: sinks.AppendBody(nil, e), Attributes: sinks.Attributes(sinks.AttributeNames(), e, id), SampleID: id, Key: e.Source.Unit() + "/" + e.Sample.Object,
			Kind: sinks.KindOf(e.Sample),
		})
	}
	return msgs
}

// The bytes of refused messages at the socket, TLS included: at most 1.5 times those of a topic that refuses nothing.
func TestUplinkOfRefusedMessages(t *testing.T) {
	windows, err := strconv.Atoi(os.Getenv("NOI_REFUSED_WINDOWS"))
	if err != nil {
		windows = 10
	}
	account := serviceAccount(t)
	fmt.Fprintf(t.Output(), "%-40s %12s %8s %8s %8s %8s\n", "percent of the objects refused", "bytes up", "requests", "ratio", "wanted", "halving")
	var whole float64
	for _, c := range refusedShares() {
		cleanEnv(t)
		cloud := mustStart(t)
		refused := func(m standin.Message) bool {
			n, err := strconv.Atoi(m.Attributes["object"][1:])
			// 37 and 100 have no common divisor, so refused objects are not adjacent
			return err != nil || n*37%100 < c.percent
		}
		cloud.SetFault(standin.Always(standin.Fault{Code: "InvalidArgument", Text: "One or more messages in the publish request failed schema validation.", Only: refused}))
		ca := sinktest.NewAuthority(t)
		front := sinktest.StartFront(t, cloud.Addr(), sinktest.ServerConfig(ca.Good(t, "127.0.0.1")))
		sink := mustNew(t, pubsub.Options{Endpoint: "https://" + front.Addr(), CAFile: ca.File, CredentialsFile: mustWrite(t, t.TempDir()+"/key.json", account)})
		var backlog []sinks.Message
		for n := range 10 * windows {
			backlog = append(backlog, refusedSweep(time.Unix(1_656_404_429+60*int64(n), 0))...)
		}
		for sent := 0; sent < len(backlog); {
			rest := backlog[sent:]
			for _, r := range sink.Publish(t.Context(), rest[:min(len(rest), sink.Window())]) {
				o := sinks.Accepted
				if refused(standin.Message{Attributes: map[string]string{"object": backlog[sent].Key[len("rs485/1/"):]}}) {
					o = sinks.Reject
				}
				if r.Outcome != o {
					t.Fatalf("%d %%: message %d: %s (%s), want %s", c.percent, sent, r.Outcome, r.Error(), o)
				}
				sent++
			}
		}
		_, up := front.Counts()
		if c.percent == 0 {
			whole = float64(up)
		}
		ratio := float64(up) / whole
		fmt.Fprintf(t.Output(), "%-40d %12d %8d %8.2f %8s %8.1f\n", c.percent, up, len(cloud.Requests()), ratio, "1.50", c.halving)
		if ratio > 1.5 {
			t.Errorf("%d %% of the objects refused: %.2f times the bytes", c.percent, ratio)
		}
	}
}
