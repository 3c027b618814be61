package modbustest

import "context"

// TB is the part of *testing.T that the Must functions need.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// MustServe opens a PTY and serves slaves on it until the test ends.
func MustServe(tb TB, baud, charBits int, slaves ...*Slave) *PTY {
	tb.Helper()
	p, err := OpenPTY(baud, charBits)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Serve(context.Background(), slaves...) }()
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Fatalf("close pty: %v", err)
		}
		if err := <-done; err != nil {
			tb.Fatalf("%v", err)
		}
	})
	return p
}
