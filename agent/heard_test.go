package agent_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
)

// TestAControllerThatAnswersAPersonIsSampledAtOnce: a person repairs the line, and reads a value or scans. A slave that
// was silent for long is otherwise asked every five minutes only.
func TestAControllerThatAnswersAPersonIsSampledAtOnce(t *testing.T) {
	for name, ask := range map[string]func(t *testing.T, s *site) error{
		"read": func(t *testing.T, s *site) error {
			_, _, err := s.agent.Read(t.Context(), "a", 1, 4, 0xE002, 1)
			return err
		},
		"probe": func(t *testing.T, s *site) error { _, err := s.agent.Probe(t.Context(), "a", 1, 4); return err },
		"":      func(*testing.T, *site) error { return nil }, // without a person
	} {
		synctest.Test(t, func(t *testing.T) {
			slave := controller(1)
			silent := silenced(slave)
			s := after(30*time.Second, startOne(t, oneSlave, slave))
			silent.Store(true)
			time.Sleep(time.Hour)
			silent.Store(false)
			if err := ask(t, s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			got := codes(s.status())
			s.stop()
			if want := map[bool]string{true: "slave_silent"}[name == ""]; got != want {
				t.Errorf("%q: 2 s after the repair the problems are %q, want %q", name, got, want)
			}
		})
	}
}

// TestOnlyDamagedRepliesAreAFault: with a wrong baud rate no value comes, and a monitoring script must not be told that
// all is well.
func TestOnlyDamagedRepliesAreAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := faulty(modbustest.Fault{Mangle: func(b []byte) []byte { b[2] ^= 0xFF; return b }}, oneSlave)(t)
		sentence := s.agent.Sentence()
		s.stop()
		if !strings.HasPrefix(sentence, "✗ Samples are being lost since ") || !strings.Contains(sentence, "slave_garbled") {
			t.Error(sentence)
		}
	})
}
