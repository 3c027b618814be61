package shell

import (
	"os/exec"
	"testing"
)

func TestAQuotedTextIsOneWordOfAShell(t *testing.T) {
	for _, text := range []string{
		"", "plain/word-1.pem", "two words", "a;b", "$(id)", "`id`", "a'b", "''", `a"b`, `a\b`, "a\nb", "*", "~", "~root", "#x", "!x", "&", "é", "{a,b}", "a=b",
	} {
		out, err := exec.Command("sh", "-c", `set -- `+Quote(text)+`; printf '%s:%s.' "$#" "$1"`).Output()
		if err != nil || string(out) != "1:"+text+"." {
			t.Errorf("%q is written %s, which the shell reads as %q: %v", text, Quote(text), out, err)
		}
	}
	if got := Quote("arn:aws:iam::123456789012:role/x@y,z"); got != "arn:aws:iam::123456789012:role/x@y,z" {
		t.Errorf("a plain word is quoted: %s", got)
	}
}
