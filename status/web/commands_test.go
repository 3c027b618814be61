package web_test

import (
	"regexp"
	"strings"
	"testing"

	"noi-agent/status/api"
	"noi-agent/status/web/webtest"
)

// A browser wraps a line at a hyphen. In a command each word is an element, so that the browser wraps inside a word
// only if it must.
func TestCommandsBreakAtSpacesOnly(t *testing.T) {
	const want = `<code class="cmd"><span>sudo</span> <span>noi-agent</span> <span>doctor</span></code>`
	if got := page(t, webtest.Well(), "/system"); !strings.Contains(got, want) {
		t.Errorf("the System page lacks %s", want)
	}
	scene := webtest.Well()
	scene.State.Problems = []api.Problem{api.LinePortBusy.Of("rs485", webtest.Moment(), "x")}
	mustContain(t, page(t, scene, "/"), `<code class="cmd"><span>sudo</span> <span>systemctl</span> <span>disable</span> <span>--now</span> <span>ModemManager</span></code>`)
}

// Commands in texts are in backquotes, so that the page can show them as commands.
func TestCommandsOfRemediesAreMarked(t *testing.T) {
	command := regexp.MustCompile(`\b(sudo|systemctl|timedatectl|usermod|date -u|noi-agent [a-z]+)\b`)
	for _, k := range api.Kinds() {
		for i, part := range strings.Split(k.Remedy, "`") {
			if found := command.FindString(part); i%2 == 0 && found != "" {
				t.Errorf("%s: %q is outside backquotes in %q", k.Code, found, k.Remedy)
			}
		}
	}
}
