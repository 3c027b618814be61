package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestExportShowsHowFarItIs(t *testing.T) {
	at := siteNow
	var out, screen bytes.Buffer
	c := &lineCounter{Writer: &out, screen: &screen, now: func() time.Time { return at }, begun: at, shown: at}
	for range 4 {
		at = at.Add(150 * time.Millisecond)
		if _, err := c.Write([]byte("a\nb\n")); err != nil {
			t.Fatal(err)
		}
	}
	c.clear()
	if want := "\rexporting: 4 lines, 13 a second\x1b[K\rexporting: 8 lines, 13 a second\x1b[K\r\x1b[K"; screen.String() != want {
		t.Errorf("%q, want %q", screen.String(), want)
	}
	if out.String() != strings.Repeat("a\nb\n", 4) {
		t.Errorf("%q", out.String())
	}
	p := &Program{Stdout: &out, Stderr: &screen, Now: func() time.Time { return at }}
	if c := p.newLineCounter(); c.screen != nil {
		t.Error("shown although the output is no terminal")
	}
}
