package agent_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/agent"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// startOn is start with any port and with a log.
func startOn(t *testing.T, config string, open func(modbus.Settings) (modbus.Port, error), log io.Writer) *site {
	t.Helper()
	return begin(t, "state_dir: "+t.TempDir()+"\n"+config, agent.Options{
		Logger:   slog.New(slog.NewTextHandler(log, nil)),
		NewSink:  func(configs.Integration, string) (publish.Sink, error) { return &memorySink{}, nil },
		OpenPort: open,
	})
}

// lines counts the lines of the log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), words)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestLogOfANoisyLineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			return modbustest.Fault{Exception: map[bool]byte{true: 4}[r.N%2 == 0]}
		}
		log := &lines{}
		pipe := modbustest.NewPipe(9600, 11, slave)
		s := startOn(t, strings.Replace(oneSlave, "10s", "200ms", 1), func(modbus.Settings) (modbus.Port, error) { return pipe.Dial() }, log)
		time.Sleep(10 * time.Minute)
		s.stop()
		if n := log.count("\n"); n > 60 {
			t.Errorf("%d lines in ten minutes:\n%s", n, log.String()[:2000])
		}
	})
}

// deafPort opens, and every write fails.
type deafPort struct{ timeout time.Duration }

func (p *deafPort) Read([]byte) (int, error) {
	time.Sleep(p.timeout)
	return 0, nil
}
func (p *deafPort) Write([]byte) (int, error) { return 0, errors.New("input/output error") }
func (p *deafPort) Close() error              { return nil }
func (p *deafPort) SetReadTimeout(d time.Duration) error {
	p.timeout = d
	return nil
}

func TestPortThatOpensAndFailsIsTriedLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		var opened atomic.Int64
		s := startOn(t, oneSlave, func(modbus.Settings) (modbus.Port, error) { opened.Add(1); return &deafPort{}, nil }, log)
		time.Sleep(10 * time.Minute)
		s.stop()
		if n := log.count("\n"); n > 60 || opened.Load() > 60 {
			t.Errorf("opened %d times; %d lines in ten minutes:\n%s", opened.Load(), n, log.String()[:2000])
		}
	})
}

// TestSilenceOverATestIsItsAnswer: a slave refuses reads that include registers that it lacks, and does not answer a
// read of these registers alone.
func TestSilenceOverATestIsItsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		var tests atomic.Int64
		slave.Read = func(function byte, addr, count uint16) ([]uint16, byte) {
			for at := addr; at < addr+count; at++ {
				if at == 0x0003 {
					return nil, modbustest.IllegalAddress
				}
			}
			return modbustest.OwnAddress(function, addr, count)
		}
		slave.Script = func(r modbustest.Request) modbustest.Fault {
			if r.Function == 0x04 && r.Addr == 0x0001 && r.Count == 3 { // the registers between the objects
				tests.Add(1)
				return modbustest.Fault{Silent: true}
			}
			return modbustest.Fault{}
		}
		config := strings.Replace(oneSlave, "[Et_float, EV_float, Ahc_r]", "[sw_ver, vdd_actual, adc_pmeter]", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(10 * time.Minute)
		status := s.status()
		s.stop()
		if n := tests.Load(); n > 8 || status.Lines[0].Slaves[0].State != "ok" {
			t.Errorf("%d tests; slave %+v", n, status.Lines[0].Slaves[0])
		}
	})
}

func TestIllegalFunctionIsNotAskedAgainBeforeTheLogInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Read = nil
		config := strings.Replace(oneSlave, `[Et_float, EV_float, Ahc_r], intervals: {"*": 10s}`, `Et_float, intervals: {"*": 1h}`, 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		time.Sleep(30 * time.Minute)
		s.stop()
		if n := slave.Requests(); n > 5 {
			t.Errorf("%d requests in half an hour", n)
		}
	})
}

// TestSlowSlaveDoesNotLookLikeAHang: many long reads do not make the line count as stuck.
func TestSlowSlaveDoesNotLookLikeAHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slave := controller(1)
		slave.Delay = 8 * time.Second
		config := strings.Replace(oneSlave, "port: /dev/ttyA,", "port: /dev/ttyA, timeout: 10s,", 1)
		config = strings.Replace(config, "objects: [Et_float, EV_float, Ahc_r]", "objects: all, max_registers: 2", 1)
		s := start(t, config, map[string]*modbustest.Pipe{"/dev/ttyA": modbustest.NewPipe(9600, 11, slave)})
		for range 30 {
			time.Sleep(10 * time.Second)
			if err := s.agent.Healthy(); err != nil {
				t.Error(err)
				break
			}
		}
		s.stop()
	})
}
