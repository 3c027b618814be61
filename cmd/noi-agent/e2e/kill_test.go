package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"noi-agent/sinks/sinktest/standin"
)

const killRounds = 10

// binaries are the commands that tests have built, by directory, in a directory that TestMain makes and removes.
var binaries = struct {
	mu    sync.Mutex
	dir   string
	home  string // where the go command has its caches: the tests have another home
	built map[string]string
}{built: map[string]string{}}

// buildBinary builds a command like `make build`, so that both share the build cache. Each is built once for all
// tests.
func buildBinary(t testing.TB, dir string) string {
	t.Helper()
	binaries.mu.Lock()
	defer binaries.mu.Unlock()
	if binary := binaries.built[dir]; binary != "" {
		return binary
	}
	binary := filepath.Join(binaries.dir, fmt.Sprint("binary-", len(binaries.built)))
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace,nethttpomithttp2", "-ldflags", "-s -w", "-o", binary, dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "HOME="+binaries.home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	binaries.built[dir] = binary
	return binary
}

// committed collects the daemon's markers: for each run, the number of the last sample that is durable.
type committed struct {
	mu   sync.Mutex
	upTo map[int]int
}

var marker = regexp.MustCompile(`msg=committed .*run=(\d+) to=(\d+)`)

// read reads the daemon's log to its end.
func (c *committed) read(log io.Reader) {
	for scanner := bufio.NewScanner(log); scanner.Scan(); {
		found := marker.FindStringSubmatch(scanner.Text())
		if found == nil {
			continue
		}
		run, _ := strconv.Atoi(found[1])
		to, _ := strconv.Atoi(found[2])
		c.mu.Lock()
		c.upTo[run] = max(c.upTo[run], to)
		c.mu.Unlock()
	}
}

func (c *committed) runs() map[int]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[int]int{}
	for run, to := range c.upTo {
		out[run] = to
	}
	return out
}

// TestKilledAtAnyMomentNothingCommittedIsMissing kills the real daemon ten times, while the state of both clouds
// changes. At the end each cloud has every sample that a marker ever called committed, and a repeated sample has the
// same sample_id.
func TestKilledAtAnyMomentNothingCommittedIsMissing(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	binary := buildBinary(t, "..")
	w := newWorld(t, countingSlave())
	config := withAllAttributes(t, w.config(`objects: [Ahc_r, Ahl_t], intervals: {"*": 20ms}`, "all"))
	marks := &committed{upTo: map[int]int{}}
	for range killRounds {
		setWeather(t, w, rng)
		before := len(marks.runs())
		child, read := startChild(t, binary, config, marks)
		eventually(t, "the daemon commits", func() bool { return len(marks.runs()) > before })
		timer := time.NewTimer(time.Duration(rng.IntN(1200)) * time.Millisecond)
		<-timer.C
		if err := child.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-read
		_ = child.Wait() // killed
	}
	clearWeather(t, w)
	child, read := startChild(t, binary, config, marks)
	eventually(t, "both clouds have all that was committed before", func() bool {
		return len(marks.runs()) == killRounds+1 && missing(marks.runs(), w.sns.Messages()) == 0 && missing(marks.runs(), w.pubsub.Messages()) == 0
	})
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-read
	if err := child.Wait(); err != nil {
		t.Errorf("the last daemon ended with %v", err)
	}
	for cloud, messages := range map[string][]standin.Message{"SNS": w.sns.Messages(), "Pub/Sub": w.pubsub.Messages()} {
		if n := missing(marks.runs(), messages); n != 0 {
			t.Errorf("%s misses %d committed samples of %v", cloud, n, marks.runs())
		}
		repeated := checkRepetitions(t, cloud, messages)
		t.Logf("%s: %d messages, %d of them repetitions, runs %v", cloud, len(messages), repeated, marks.runs())
	}
}

// startChild starts the daemon; read is closed when its log has ended.
func startChild(t *testing.T, binary, config string, marks *committed) (child *exec.Cmd, read chan struct{}) {
	t.Helper()
	child = exec.Command(binary, "run", "--config", config)
	log, err := child.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	read = make(chan struct{})
	go func() { defer close(read); marks.read(log) }()
	return child, read
}

// setWeather chooses the state of both clouds for a round at random.
func setWeather(t *testing.T, w *world, rng *rand.Rand) {
	t.Helper()
	for _, cloud := range []interface {
		SetDown(bool) error
		SetFault(func(standin.Request) *standin.Fault)
	}{w.sns, w.pubsub} {
		if err := cloud.SetDown(rng.IntN(4) == 0); err != nil {
			t.Fatal(err)
		}
		switch rng.IntN(3) {
		case 0:
			cloud.SetFault(nil)
		case 1:
			n := 2 + rng.IntN(3) // every n-th request is accepted, and its answer is lost
			cloud.SetFault(func(r standin.Request) *standin.Fault {
				if r.N%n == 0 {
					return &standin.Fault{Drop: true, Taken: true}
				}
				return nil
			})
		default:
			cloud.SetFault(func(r standin.Request) *standin.Fault {
				if r.N%2 == 0 {
					return &standin.Fault{Drop: true}
				}
				return nil
			})
		}
	}
}

func clearWeather(t *testing.T, w *world) {
	t.Helper()
	w.sns.SetFault(nil)
	w.pubsub.SetFault(nil)
	if err := w.sns.SetDown(false); err != nil {
		t.Fatal(err)
	}
	if err := w.pubsub.SetDown(false); err != nil {
		t.Fatal(err)
	}
}

// missing counts the committed samples that a cloud does not have.
func missing(runs map[int]int, messages []standin.Message) int {
	have := map[string]bool{}
	for _, m := range messages {
		_, tail, _ := strings.Cut(m.Attributes["sample_id"], "-") // device id
		_, tail, _ = strings.Cut(tail, "-")                       // store id
		have[tail] = true
	}
	n := 0
	for run, to := range runs {
		for i := 1; i <= to; i++ {
			if !have[strconv.Itoa(run)+"-"+strconv.Itoa(i)] {
				n++
			}
		}
	}
	return n
}

// checkRepetitions checks that a sample_id always belongs to the same sample, and that a sample always has the same sample_id.
func checkRepetitions(t *testing.T, cloud string, messages []standin.Message) (repeated int) {
	t.Helper()
	type sample struct{ object, data string }
	byID, ids := map[string]sample{}, map[sample]string{}
	for _, m := range messages {
		b := parseBody(t, m.Body)
		id, s := m.Attributes["sample_id"], sample{b.Object, string(b.Data)}
		if other, known := byID[id]; known {
			repeated++
			if other != s {
				t.Errorf("%s: %s is %v and %v", cloud, id, other, s)
			}
		}
		if other, known := ids[s]; known && other != id {
			t.Errorf("%s: %v came as %s and %s", cloud, s, other, id)
		}
		byID[id], ids[s] = s, id
	}
	return repeated
}

// withAllAttributes makes SNS send the attributes too, because they name the sample.
func withAllAttributes(t *testing.T, config string) string {
	t.Helper()
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "type: aws,", "type: aws, attributes: all,", 1)
	if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}
