package agent_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
)

// TestDeletedSamplesAreAProblemWhileTheyAreDeleted: the problem begins with the first deletion and ends ten minutes
// after the last.
func TestDeletedSamplesAreAProblemWhileTheyAreDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipes := map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, controller(1))}
		s := start(t, "buffer: {max_age: 1h}\n"+oneObject, pipes)
		s.sink.answers(func(sinks.Message) sinks.Result { return sinks.Failed(sinks.Retry, "Unavailable", "down") })
		begun := time.Now()
		time.Sleep(50 * time.Minute)
		early := problemOf(s.status(), "samples_dropped")
		time.Sleep(70 * time.Minute)
		during := problemOf(s.status(), "samples_dropped")
		s.sink.answers(nil)
		time.Sleep(20 * time.Minute)
		after, dropped := problemOf(s.status(), "samples_dropped"), s.status().Integrations[0].Dropped
		s.stop()
		if early != nil || after != nil || dropped == 0 {
			t.Errorf("before %+v, after %+v; %d samples deleted", early, after, dropped)
		}
		if during == nil || during.Since.Before(begun.Add(50*time.Minute)) || during.Since.After(begun.Add(75*time.Minute)) {
			t.Errorf("while samples are deleted: %+v", during)
		}
	})
}
