package store_test

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
	"noi-agent/store"
	"noi-agent/store/storetest"
)

// The figures of `make bench-store`. Bytes are whole pages, as the disk gets them. Ratios are of the same run.

const benchObjects = 48 // in a ProStar's sweep

// benchSweep returns a sweep with the register values of a controller, numbered as by an agent.
func benchSweep(s *store.Store, n uint64, routes ...string) objects.Sweep {
	sw := storetest.Sweep(s.Run(), n, benchObjects, routes...)
	sw.BootedAt = storetest.Start
	for i := range sw.Samples {
		sw.Samples[i].Seq = n/benchObjects + 1
	}
	return sw
}

// account records a sweep in the account of its objects, as an agent does after it has offered the sweep.
func account(s *store.Store, sw objects.Sweep) {
	list := map[store.Accounted]store.Account{}
	for i := range sw.Samples {
		at := store.Instant{Run: sw.Run, At: sw.Samples[i].SampledAt, Uptime: sw.Samples[i].SampledAt.Sub(sw.BootedAt)}
		list[store.Accounted{Unit: sw.Source.Unit(), Object: sw.Samples[i].Object}] = store.Account{Until: at,
			Every: time.Second}
	}
	s.AccountSamples(list)
}

func benchOpen(b *testing.B, path string, o store.Options) *store.Store {
	b.Helper()
	o.Now = func() time.Time { return storetest.Start.Add(time.Hour) }
	s, err := store.Open(path, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if err := s.SetIntegrations(both[:1]); err != nil {
		b.Fatal(err)
	}
	return s
}

// steady appends sweeps, one commit each, and settles each before the next, as on a site whose cloud is slower than
// the window.
func steady(b *testing.B, s *store.Store, from uint64, sweeps int, accepted bool) (bytes, commits uint64) {
	b.Helper()
	before := s.Stats()
	for i := range uint64(sweeps) {
		sw := benchSweep(s, from+i*benchObjects, "aws")
		p, err := s.Offer(b.Context(), sw)
		if err != nil {
			b.Fatal(err)
		}
		account(s, sw)
		if <-p.Done(); p.Err() != nil {
			b.Fatal(p.Err())
		}
		if accepted {
			drain(b, s, 1000)
		}
	}
	after := s.Stats()
	return after.Written - before.Written, after.Commits - before.Commits
}

// drain takes and settles one batch and returns its number of samples.
func drain(b *testing.B, s *store.Store, limit int) int {
	b.Helper()
	ds, err := s.Pending("aws", limit, nil)
	if err == nil {
		err = s.Settle("aws", results(store.Accepted, ds...))
	}
	if err != nil {
		b.Fatal(err)
	}
	return len(ds)
}

// BenchmarkSteady measures five minutes of 48 objects a second, with a window of one second and rows after one
// minute. The test runs fifty times as fast.
func BenchmarkSteady(b *testing.B) {
	const sweeps = 300
	fast := store.Options{Limits: store.Limits{CommitEvery: time.Second / 50, FlushTriggers: time.Minute / 50}}
	for name, accepted := range map[string]bool{"offline": false, "slow_cloud": true} {
		b.Run(name, func(b *testing.B) {
			s := benchOpen(b, filepath.Join(b.TempDir(), "noi.db"), fast)
			for b.Loop() {
				bytes, commits := steady(b, s, s.Stats().Committed+1, sweeps, accepted)
				b.ReportMetric(float64(bytes)/(sweeps*benchObjects), "written_B/sample")
				b.ReportMetric(float64(bytes)/float64(commits), "written_B/commit")
			}
			if st := s.Stats(); !accepted {
				b.ReportMetric(float64(st.RecordBytes)/float64(st.Samples), "record_B/sample")
			}
		})
	}
	b.Run("fast_cloud", func(b *testing.B) {
		for b.Loop() {
			s := benchOpen(b, filepath.Join(b.TempDir(), "noi.db"), fast)
			before := s.Stats()
			for i := range uint64(sweeps) {
				sw := benchSweep(s, 1+i*benchObjects, "aws")
				p, err := s.Offer(b.Context(), sw)
				if err != nil {
					b.Fatal(err)
				}
				account(s, sw)
				drain(b, s, 1000)
				<-p.Done()
			}
			after := s.Stats()
			b.ReportMetric(float64(after.Written-before.Written)/(sweeps*benchObjects), "written_B/sample")
			b.ReportMetric(float64(after.Spared)/(sweeps*benchObjects), "spared_share")
		}
	})
}

// fill appends a backlog of so many samples, with many sweeps in a commit.
func fill(b *testing.B, s *store.Store, samples int) {
	b.Helper()
	n := uint64(1)
	for n < uint64(samples) {
		var sweeps []objects.Sweep
		for range 1000 {
			if n >= uint64(samples) {
				break
			}
			sweeps = append(sweeps, benchSweep(s, n, "aws"))
			n += benchObjects
		}
		if err := s.Append(b.Context(), sweeps...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAfterBacklog measures the bytes per commit before a backlog of 200 MiB, and after the backlog was drained,
// in the same file.
func BenchmarkAfterBacklog(b *testing.B) {
	for b.Loop() {
		// These sweeps have rows too.
		s := benchOpen(b, filepath.Join(b.TempDir(), "noi.db"),
			store.Options{Limits: store.Limits{MaxSize: 1 << 30, FlushTriggers: 100 * time.Millisecond}})
		bytes, commits := steady(b, s, 1, 200, true)
		before := float64(bytes) / float64(commits)
		// long texts: the content of the pages does not matter
		for n := uint64(1); s.Stats().FileBytes < 200<<20; n += 50 {
			if err := s.Append(b.Context(), bulky(s.Run(), n)); err != nil {
				b.Fatal(err)
			}
		}
		full := s.Stats().FileBytes
		for drain(b, s, 1000) > 0 {
		}
		steady(b, s, 1, 100, true) // its commits delete the settled sweeps
		bytes, commits = steady(b, s, 1, 200, true)
		after := float64(bytes) / float64(commits)
		b.ReportMetric(before, "before_B/commit")
		b.ReportMetric(after, "after_B/commit")
		b.ReportMetric(after/before, "ratio")
		b.ReportMetric(float64(full)/(1<<20), "file_MiB")
	}
}

// BenchmarkAppend measures sweeps a second, one commit each. For comparison, the same bytes are appended to a plain
// file and synced.
func BenchmarkAppend(b *testing.B) {
	const sweeps = 300
	for b.Loop() {
		s := benchOpen(b, filepath.Join(b.TempDir(), "noi.db"), store.Options{})
		begin := time.Now()
		steady(b, s, 1, sweeps, false)
		ours := time.Since(begin)
		begin = time.Now()
		for drain(b, s, 10) > 0 {
		}
		settle := time.Since(begin)
		plain := plainAppends(b, sweeps, int(s.Stats().RecordBytes/sweeps))
		b.ReportMetric(sweeps/ours.Seconds(), "appends/s")
		b.ReportMetric(plain.Seconds()/ours.Seconds(), "of_plain_file")
		b.ReportMetric(sweeps*benchObjects/settle.Seconds(), "settled/s")
	}
}

func plainAppends(b *testing.B, n, size int) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	value := make([]byte, size)
	begin := time.Now()
	for range n {
		if _, err := f.Write(value); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

// flatMemory is how much more memory a backlog may take, however long it is, in MiB.
const flatMemory = 16

// flatRate is the least rate of a long drain, by the rate of a drain of 100,000 samples.
const flatRate = 0.9

// BenchmarkBacklog measures, by the size of the backlog: the start and the memory of a process of its own, and the
// rate at which the process drains the backlog. A short drain depends on single fsyncs, so it is done seven times and
// the median counts.
func BenchmarkBacklog(b *testing.B) {
	var empty, base figures
	for _, c := range []struct{ samples, times int }{{0, 1}, {100_000, 7}, {1_000_000, 3}, {10_000_000, 1}} {
		b.Run(fmt.Sprint(c.samples), func(b *testing.B) {
			for b.Loop() {
				f := drains(b, c.samples, c.times)
				missed := func() bool {
					return f.idle > empty.idle+flatMemory || base.rate > 0 && (f.rate < flatRate*base.rate ||
						f.anonymous > base.anonymous+flatMemory || f.resident > base.resident+flatMemory)
				}
				if missed() { // a busy machine, or the kernel has kept more pages of the file in memory
					f = drains(b, c.samples, c.times)
				}
				if missed() {
					b.Errorf("MiB and samples a second with %d samples: %+v; with none: %+v; with 100,000: %+v", c.samples, f,
						empty, base)
				}
				switch c.samples {
				case 0:
					empty = f
				case 100_000:
					base = f
				}
				b.ReportMetric(f.start, "start_ms")
				b.ReportMetric(f.idle, "RSS_MiB")
				b.ReportMetric(f.resident, "peak_RSS_MiB")
				b.ReportMetric(f.anonymous, "peak_anon_MiB")
				b.ReportMetric(f.rate, "drained/s")
				if base.rate > 0 {
					b.ReportMetric(f.rate/base.rate, "of_rate_at_100000")
				}
			}
		})
	}
}

// drains fills an outbox and has processes of their own drain copies of it. It returns the median rate, and
// the most memory that one of them had.
func drains(b *testing.B, samples, times int) figures {
	path := filepath.Join(b.TempDir(), "noi.db")
	s := benchOpen(b, path, store.Options{Limits: store.Limits{MaxSize: 1 << 30}})
	fill(b, s, samples)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	full, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	var all []figures
	for range times {
		writePages(b, path, full)
		all = append(all, inProcess(b, path))
	}
	slices.SortFunc(all, func(x, y figures) int { return cmp.Compare(x.rate, y.rate) })
	f := all[len(all)/2]
	for _, other := range all {
		f.idle, f.resident, f.anonymous = max(f.idle, other.idle), max(f.resident, other.resident),
			max(f.anonymous, other.anonymous)
	}
	return f
}

// writePages writes a file page by page, as a store does. Linux 6.18 keeps in one piece what one call has written, up to
// 2 MiB, and maps the whole piece if one byte of it is read.
func writePages(b *testing.B, path string, content []byte) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for page := range slices.Chunk(content, os.Getpagesize()) {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
	}
}

// figures are the measurements of a store in a child process.
type figures struct{ start, idle, resident, anonymous, rate float64 }

// benchEnv names the file that the re-executed test binary opens and drains.
const benchEnv = "NOI_STORE_BENCH"

func inProcess(b *testing.B, path string) (f figures) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), benchEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		_, err = fmt.Sscan(string(out), &f.start, &f.idle, &f.resident, &f.anonymous, &f.rate)
	}
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return f
}

// openAndDrain is the child of inProcess. RSS includes the pages of the mapped file that were read. Anonymous memory
// is the memory of the process itself.
func openAndDrain(path string) int {
	begin := time.Now()
	s, err := store.Open(path, store.Options{Limits: store.Limits{MaxSize: 1 << 30, CommitEvery: time.Second},
		Now: func() time.Time { return storetest.Start.Add(time.Hour) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	start := time.Since(begin)
	idle := memory("VmRSS")
	windows := 0
	begin = time.Now()
	total, peak, resident := 0, memory("RssAnon"), idle
	for {
		ds, err := s.Pending("aws", 1000, nil)
		if err == nil {
			err = s.Settle("aws", results(store.Accepted, ds...))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if len(ds) == 0 {
			break
		}
		total += len(ds)
		if windows++; windows%16 == 0 {
			peak, resident = max(peak, memory("RssAnon")), max(resident, memory("VmRSS"))
		}
	}
	if err := s.Close(); err != nil { // the last commit is part of the drain
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	rate := float64(total) / max(time.Since(begin).Seconds(), 1e-9)
	fmt.Println(float64(start.Microseconds())/1000, idle, resident, peak, rate)
	return 0
}

// memory returns a field of /proc/self/status in MiB.
func memory(field string) float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib float64
		if rest, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			if _, err := fmt.Sscan(rest, &kib); err == nil {
				return kib / 1024
			}
		}
	}
	return 0
}
