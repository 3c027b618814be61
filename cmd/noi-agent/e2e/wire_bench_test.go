package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
	"noi-agent/sinks/sinktest/standin"
)

const (
	// makes this program read a line as fast as modbus.Line can: TTY BAUD, then function, address, count
	wireEnv    = "NOI_WIRE"
	wireWindow = 8 * time.Second
	wireBits   = 11 // bits of a character at 8N2
)

// wireRead is one read of a plan.
type wireRead struct {
	function    byte
	addr, count uint16
}

// carries returns the time of the characters of a read, including those of its request.
func (r wireRead) carries(baud int) time.Duration {
	return modbus.Settings{Baud: baud}.WireTime(8 + 5 + 2*int(r.count))
}

// limit returns the least time of a read: its characters, and the silence before the next request.
func (r wireRead) limit(baud int) time.Duration {
	return r.carries(baud) + modbus.Settings{Baud: baud}.Silence()
}

// wireRequest is a read and the time of its request.
type wireRequest struct {
	wireRead
	at time.Time
}

// wireMeter records each request on the line.
type wireMeter struct {
	mu   sync.Mutex
	seen []wireRequest
	pace sync.Once
	more chan struct{}
}

func (m *wireMeter) script(r modbustest.Request) modbustest.Fault {
	m.pace.Do(keepPace)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, wireRequest{wireRead{r.Function, r.Addr, r.Count}, time.Now()})
	select {
	case m.more <- struct{}{}:
	default:
	}
	return modbustest.Fault{}
}

// keepPace makes the simulated slave keep the pace of its line while the stand-ins of the clouds use the processor,
// because a real wire does not become slower. Only root may raise the priority of its thread. Without it the slave is
// as late as the machine is busy.
func keepPace() {
	runtime.LockOSThread()
	runtime.GOMAXPROCS(8) // more than the number of cores, so that the kernel decides and not the runtime
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}, 0)
}

// begin drops the recorded requests. It returns the time of the request after skip further ones.
func (m *wireMeter) begin(b *testing.B, skip int) (start time.Time) {
	b.Helper()
	for have := 0; ; have++ {
		select {
		case <-m.more:
		case <-time.After(time.Minute):
			b.Fatal("no request for a minute")
		}
		m.mu.Lock()
		if have >= skip {
			m.seen = m.seen[len(m.seen)-1:]
			start = m.seen[0].at
			m.mu.Unlock()
			return start
		}
		m.mu.Unlock()
	}
}

// wireFigure is the result of one master.
type wireFigure struct {
	share  float64 // of the limit of the reads that it does
	sweeps float64 // sweeps a second
	cpu    float64 // of the whole process, in percent of a core
	plan   []wireRead
	// Times from the end of a reply to the next request, in ascending order: within a sweep, and after its last read.
	// A busy machine spoils some of them, and the share gets worse by all.
	within, after pauses
}

// measure counts the reads of the process pid for a time.
func (m *wireMeter) measure(b *testing.B, pid, baud int) (f wireFigure) {
	b.Helper()
	start, used := m.begin(b, 20), cpuOf(b, pid)
	for {
		select {
		case <-m.more:
		case <-time.After(time.Minute):
			b.Fatal("no request for a minute")
		}
		m.mu.Lock()
		seen := m.seen
		m.mu.Unlock()
		took := seen[len(seen)-1].at.Sub(start)
		if took < wireWindow {
			continue
		}
		f.cpu = 100 * (cpuOf(b, pid) - used).Seconds() / took.Seconds()
		var limit time.Duration
		rounds := map[wireRead]int{}
		for i, r := range seen[:len(seen)-1] { // the last request has no end yet
			limit += r.limit(baud)
			if rounds[r.wireRead]++; rounds[r.wireRead] == 1 {
				f.plan = append(f.plan, r.wireRead)
			}
			if pause := seen[i+1].at.Sub(r.at) - r.carries(baud); seen[i+1].addr > r.addr {
				f.within = append(f.within, pause)
			} else {
				f.after = append(f.after, pause)
			}
		}
		slices.Sort(f.within)
		slices.Sort(f.after)
		f.share = limit.Seconds() / took.Seconds()
		f.sweeps = float64(rounds[f.plan[0]]) / took.Seconds()
		return f
	}
}

// pauses are times in ascending order.
type pauses []time.Duration

// String returns the median, the 90th and the 99th percentile.
func (p pauses) String() string {
	if len(p) == 0 {
		return "none"
	}
	text := make([]string, 0, 3)
	for _, percent := range []int{50, 90, 99} {
		text = append(text, fmt.Sprintf("%.2f", p[len(p)*percent/100].Seconds()*1000))
	}
	return strings.Join(text, "/")
}

// cpuOf returns the CPU time of a process, in the kernel's ticks of 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// runMaster starts a program, measures it and ends it.
func runMaster(b *testing.B, m *wireMeter, baud int, cmd *exec.Cmd) wireFigure {
	b.Helper()
	var said lockedBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if b.Failed() {
			b.Logf("%s said: %s", cmd.Path, said.String())
		}
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // an end by the signal is no failure
	}()
	return m.measure(b, cmd.Process.Pid, baud)
}

// BenchmarkWire reads all live objects of a ProStar PWM back to back over a paced line. It compares the whole agent
// with both clouds, a line of package modbus alone, and a bare loop of libmodbus with the same reads. It fails if the
// agent reaches less than the wanted share of the bare loop's speed twice.
func BenchmarkWire(b *testing.B) {
	for _, c := range []struct {
		baud   int
		wanted float64
	}{{9600, 0.99}, {19200, 0.99}, {115200, 0.985}} {
		b.Run(strconv.Itoa(c.baud), func(b *testing.B) {
			got := wireRatio(b, c.baud)
			if got < c.wanted {
				b.Logf("%.3f of the bare loop, wanted %.3f: once more", got, c.wanted)
				got = max(got, wireRatio(b, c.baud))
			}
			if got < c.wanted {
				b.Errorf("the agent reaches %.3f of the bare loop, wanted %.3f", got, c.wanted)
			}
		})
	}
}

// wireRatio measures all three in one run, prints their figures, and returns the agent's share divided by the bare
// loop's.
func wireRatio(b *testing.B, baud int) float64 {
	b.Helper()
	m := &wireMeter{more: make(chan struct{}, 1)}
	pty := modbustest.MustServe(b, baud, wireBits, &modbustest.Slave{
		Unit: 1, Read: modbustest.OwnAddress, Script: m.script,
		Identity: &modbustest.Identity{Vendor: "Morningstar Corp.", Product: "PS-PWM-30M", Revision: "v01.04.06"},
	})
	agent := runMaster(b, m, baud, agentMaster(b, pty.Path(), baud))
	var reads []string
	first, end := uint16(0xFFFF), uint16(0)
	for _, r := range agent.plan {
		reads = append(reads, strconv.Itoa(int(r.function)), strconv.Itoa(int(r.addr)), strconv.Itoa(int(r.count)))
		first, end = min(first, r.addr), max(end, r.addr+r.count)
	}
	self := exec.Command(os.Args[0])
	self.Env = append(os.Environ(), wireEnv+"="+strings.Join(append([]string{pty.Path(), strconv.Itoa(baud)}, reads...), " "))
	line := runMaster(b, m, baud, self)
	bare := runMaster(b, m, baud, exec.Command(bareMaster(b), append([]string{pty.Path(), "1", strconv.Itoa(baud)}, reads...)...))

	whole := wireRead{modbus.FuncReadInput, first, end - first}.limit(baud)
	b.Logf("%d baud, %d reads a sweep      of the wire   of the best plan   CPU       pause in ms, p50/p90/p99: in a sweep, after it",
		baud, len(agent.plan))
	for _, f := range []struct {
		name string
		wireFigure
	}{{"whole agent", agent}, {"modbus.Line", line}, {"libmodbus loop", bare}} {
		b.Logf("%-32s %.3f         %.3f              %5.2f %%   %v, %v", f.name, f.share, f.sweeps*whole.Seconds(), f.cpu,
			f.within, f.after)
	}
	b.ReportMetric(agent.share/bare.share, "agent/libmodbus")
	b.ReportMetric(line.share/bare.share, "line/libmodbus")
	b.ReportMetric(0, "ns/op")
	return agent.share / bare.share
}

// agentMaster is the daemon, which sends each sample to both clouds. The log interval is shorter than any sweep.
func agentMaster(b *testing.B, tty string, baud int) *exec.Cmd {
	b.Helper()
	dir := b.TempDir()
	sns, err := standin.StartSNS(standin.SNSOptions{Topics: []string{testTopicARN}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sns.Close() })
	pubsub, err := standin.StartPubSub(standin.PubSubOptions{Topics: []string{testTopic}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pubsub.Close() })
	text := fmt.Sprintf(`device_id: 5300520006504b5957343920
state_dir: %s/state
lines:
  - name: rs485
    port: %s
    baud: %d
    slaves:
      - {id: 1, model: PSPWM, objects: all, intervals: {"*": 10ms}}
integrations:
  - {id: %s, name: main-solar, type: aws, objects: all, topic_arn: "%s", endpoint: "%s"}
  - {id: %s, name: main-pubsub, type: gcp, objects: all, topic: %s, endpoint: "%s"}
clock: {source: system}
status: {listen: "", socket: %s/a.sock}
`, dir, tty, baud, snsID, testTopicARN, sns.URL(), pubsubID, testTopic, pubsub.Addr(), dir)
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(buildBinary(b, ".."), "run", "--config", config)
	cmd.Env = append(append(os.Environ(), "HOME="+dir), sns.Env()...)
	return cmd
}

// bareMaster builds the loop in C.
func bareMaster(b *testing.B) string {
	b.Helper()
	modbustest.NeedPeer(b, "libmodbus", "libmodbus-dev pkg-config", "pkg-config", "--exists", "--print-errors", "libmodbus")
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libmodbus").Output()
	if err != nil {
		b.Fatalf("pkg-config: %v", err)
	}
	program := filepath.Join(b.TempDir(), "master")
	source := "../../../modbus/testdata/peers/libmodbus_master.c"
	args := append([]string{"-O2", "-Wall", "-Wextra", "-o", program, source}, strings.Fields(string(flags))...)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		b.Fatalf("cc: %v\n%s", err, out)
	}
	return program
}

// wireLoop is modbus.Line alone: it makes the reads of spec until it is ended.
func wireLoop(spec string) (code int) {
	fields := strings.Fields(spec)
	baud, _ := strconv.Atoi(fields[1])
	line := modbus.NewLine(modbus.Options{Settings: modbus.Settings{Port: fields[0], Baud: baud}})
	if err := line.Open(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		for r := fields[2:]; len(r) > 0; r = r[3:] {
			function, _ := strconv.Atoi(r[0])
			addr, _ := strconv.Atoi(r[1])
			count, _ := strconv.Atoi(r[2])
			if _, err := line.Read(context.Background(), 1, byte(function), uint16(addr), uint16(count)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
	}
}
