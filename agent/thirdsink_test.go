package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
)

// fileSink is a sink that no other package knows. It appends each message to a file as a line. It shows what a new
// cloud needs, and that package agent needs no change for it.
type fileSink struct{ *os.File }

// Publish implements publish.Sink.
func (f fileSink) Publish(_ context.Context, messages []sinks.Message) []sinks.Result {
	for i := range messages {
		if _, err := f.Write(append(messages[i].Body, '\n')); err != nil {
			return sinks.Repeat(sinks.Failed(sinks.Retry, "file", err.Error()), len(messages))
		}
	}
	return sinks.Repeat(sinks.Result{Outcome: sinks.Accepted, MessageID: "line"}, len(messages))
}

// Window implements publish.Sink.
func (f fileSink) Window() int { return 10 }

func TestAThirdSinkNeedsNoChangeOfTheAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "samples.jsonl")
	synctest.Test(t, func(t *testing.T) {
		pipe := modbustest.NewPipe(9600, 11, controller(1))
		s := begin(t, "state_dir: "+t.TempDir()+`
lines:
  - {name: a, port: /dev/ttyA, slaves: [{id: 1, model: PSPWM, objects: [adc_vbterm], intervals: {"*": 10s}}]}
integrations:
  - {name: file, type: gcp, topic: projects/test-project/topics/Main}
`, agent.Options{
			NewSink: func(configs.Integration, string) (publish.Sink, error) {
				f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
				return fileSink{f}, err
			},
			OpenPort: func(modbus.Settings) (modbus.Port, error) { return pipe.Dial() },
		})
		time.Sleep(time.Minute)
		sent := s.agent.Status().Integrations[0].Sent
		s.stop()
		written, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for scan := bufio.NewScanner(bytes.NewReader(written)); scan.Scan(); lines++ {
			if !bytes.Contains(scan.Bytes(), []byte(`"object":"adc_vbterm"`)) {
				t.Errorf("line %s", scan.Text())
			}
		}
		if lines < 6 || uint64(lines) < sent || sent < 6 {
			t.Errorf("%d lines, %d samples sent according to the status; want 6 at least", lines, sent)
		}
	})
}
