package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"rsc.io/qr"

	"noi-agent/status/api"
	"noi-agent/status/guard"

	"noi-agent/cmd/noi-agent/clitest"
)

func TestLoginSaysWhereAndWithWhat(t *testing.T) {
	l := login{LoginCode: api.LoginCode{Code: "K7QF-29MX", ExpiresS: 300}, Addresses: []string{"https://10.0.0.1:8443", "https://gw7:8443"},
		Fingerprint: "9F:3A:00:C2"}
	var out strings.Builder
	if err := l.print(&out, false); err != nil {
		t.Fatal(err)
	}
	want := "Open https://10.0.0.1:8443 (certificate 9F:3A:…:C2) and enter  K7QF-29MX  within 5 minutes.\nor   https://gw7:8443\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	if err := l.print(&out, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "fingerprint 9F:3A:00:C2\n") || !strings.Contains(out.String(), "█") {
		t.Errorf("%s", out.String())
	}
}

// TestTheDrawnQRCodeIsTheCode reads the code back from the drawing.
func TestTheDrawnQRCodeIsTheCode(t *testing.T) {
	code, err := qr.Encode("https://10.0.0.1:8443", qr.L)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(drawQR(code.Black, code.Size), "\n"), "\n")
	for y := range code.Size {
		row := []rune(lines[(y+4)/2])
		if len(row) != code.Size+8 || utf8.RuneCountInString(lines[0]) != code.Size+8 {
			t.Fatalf("line of %d", len(row))
		}
		for x := range code.Size {
			light := row[x+4] == '█' || row[x+4] == '▀' && y%2 == 0 || row[x+4] == '▄' && y%2 == 1
			if light == code.Black(x, y) {
				t.Fatalf("module %d, %d", x, y)
			}
		}
	}
}

func TestTokenIsShownFromItsFile(t *testing.T) {
	dir := t.TempDir()
	config := clitest.WriteConfig(t, "state_dir: "+dir+"\n")
	if code, _, stderr := run1("token", "show", "--config", config); code != ExitFailed || !strings.Contains(stderr, "at its first start") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	token, err := guard.RotateToken(dir)
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := run1("token", "show", "--config", config); code != ExitDone || stdout != token+"\n" {
		t.Errorf("exit %d: %s %s", code, stdout, stderr)
	}
	if code, _, stderr := run1("token"); code != ExitMisused || !strings.Contains(stderr, "show or rotate") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
