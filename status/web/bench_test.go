package web_test

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/status/web/webtest"
)

// cpu returns the CPU time of this program. Other programs on the machine do not change it.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkPages measures the CPU time of each page on the gateway, and its size without assets, with ten controllers
// and 100,000 rows in the trigger log. The limits are 20 ms, and 64 KB with assets.
func BenchmarkPages(b *testing.B) {
	h := serve(webtest.Large(100_000))
	for _, path := range append(all(), "/values?q=a", "/values?unit=rs485/7") {
		b.Run(strings.ReplaceAll(path, "/", "_"), func(b *testing.B) {
			var size int
			began := cpu(b)
			for b.Loop() {
				w := ask(h, path)
				size = w.Body.Len()
				if !bytes.Contains(w.Body.Bytes(), []byte("</html>")) {
					b.Fatal("the page is incomplete")
				}
			}
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N)/1e6, "ms/page")
			b.ReportMetric(float64(size)/1000, "KB")
			b.ReportMetric(0, "ns/op")
		})
	}
}
