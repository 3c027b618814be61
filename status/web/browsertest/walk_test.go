package browsertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"noi-agent/modbus/modbustest"
)

// patience is the longest wait for an expected page or text. It is long, so that the test does not fail on a busy machine.
const patience = 90 * time.Second

// walker is a person with a browser.
type walker struct {
	t    *testing.T
	tab  context.Context
	base string
}

// evaluate runs a script on the page. It returns false while the browser loads another page.
func (w *walker) evaluate(script string, result any) bool {
	return chromedp.Run(w.tab, chromedp.Evaluate(script, result)) == nil
}

// sees waits until the page shows all words.
func (w *walker) sees(words ...string) {
	w.t.Helper()
	list, err := json.Marshal(words)
	if err != nil {
		w.t.Fatal(err)
	}
	w.until(fmt.Sprint(words), fmt.Sprintf(`%s.every((s) => document.body.innerText.replace(/\s+/g, ' ').includes(s))`, list))
}

// until waits until a condition is true on the page.
func (w *walker) until(what, condition string) {
	w.t.Helper()
	end := time.Now().Add(patience)
	for {
		var is bool
		if w.evaluate(condition, &is) && is {
			return
		}
		if time.Now().After(end) {
			var text string
			w.evaluate(`location.href + '\n' + document.body.innerText`, &text)
			w.t.Fatalf("waited for %s on\n%s", what, text)
		}
		<-time.After(100 * time.Millisecond)
	}
}

// goes opens an address.
func (w *walker) goes(path string) {
	w.t.Helper()
	must(w.t, w.tab, chromedp.Navigate(w.base+path), chromedp.WaitReady("main"))
}

// types fills in fields that it finds by their labels, like a person.
func (w *walker) types(labelsAndTexts ...string) {
	w.t.Helper()
	for i := 0; i < len(labelsAndTexts); i += 2 {
		label, text := labelsAndTexts[i], labelsAndTexts[i+1]
		w.until("a field "+label, fmt.Sprintf(`(() => {
			const l = [...document.querySelectorAll('label')].find((l) => l.textContent.trim() === %q);
			if (!l) return false;
			l.control.value = %q;
			l.control.dispatchEvent(new Event('input'));
			return true;
		})()`, label, text))
	}
}

// presses clicks a button or link with this text. If an integration's section has one, it clicks that one.
func (w *walker) presses(text string) {
	w.t.Helper()
	w.until("a button "+text, fmt.Sprintf(`(() => {
		const b = [...document.querySelectorAll('main button, main a, footer a, nav a')].find((b) => b.textContent.trim() === %q);
		if (!b) return false;
		document.documentElement.dataset.left = 'yes';
		b.click();
		return true;
	})()`, text))
	w.until("a new page after "+text, `document.readyState === 'complete' && !('left' in document.documentElement.dataset)`)
}

// world is the simulator with the agent, as `make run` starts them.
type world struct {
	t       *testing.T
	dir     string
	base    string
	sim     string // path of the program
	agent   string
	mu      sync.Mutex
	printed bytes.Buffer // the accepted messages, and the output of both programs
}

// Write implements io.Writer.
func (w *world) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.printed.Write(b)
}

func (w *world) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.printed.String()
}

// startWorld builds both programs and starts them with a controller and without an integration.
func startWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "noi") // short: the path of a socket has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, sim: filepath.Join(dir, "noi-sim"), agent: filepath.Join(dir, "noi-agent")}
	build := exec.Command("go", "build", "-o", dir, "noi-agent/cmd/noi-agent", "noi-agent/cmd/noi-sim")
	build.Dir = "../../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -tags=grpcnotrace,nethttpomithttp2")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	listen := modbustest.FreeAddress(t)
	config := fmt.Sprintf("state_dir: %[1]s/state\nlines:\n  - {name: rs485, port: %[1]s/ttyNOI, slaves: [{id: 1, model: PSPWM, "+
		"name: battery-shed, intervals: {\"*\": 2s}}]}\nstatus: {listen: \"%[2]s\", socket: %[1]s/agent.sock}\nclock: {source: system}\n"+
		"buffer: {commit_every: 1s}\n", dir, listen)
	if err := os.WriteFile(dir+"/config.yaml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(w.sim, "run", "--dir", dir, "--status", listen, "--sns", modbustest.FreeAddress(t), "--pubsub", modbustest.FreeAddress(t), "--",
		w.agent, "run", "--config", dir+"/config.yaml")
	cmd.Stdout, cmd.Stderr, cmd.Dir = w, w, dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("the world ended with %v:\n%s", err, w.text())
		}
	})
	w.base = "http://" + listen
	return w
}

// does runs a command of one of the programs, and returns the output.
func (w *world) does(program string, args ...string) string {
	w.t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// walk has an agent and a browser. It does what a person does at the first contact with the agent.
type walk struct {
	*walker
	world   *world
	browser context.Context
}

// TestWalk: a person uses the forms to publish to both clouds, sees messages and failures, and edits, pauses and
// removes integrations. No typed value is ever lost.
func TestWalk(t *testing.T) {
	browser := open(t)
	world := startWorld(t)
	w := &walk{&walker{t, browser, world.base}, world, browser}
	w.until("the agent", fmt.Sprintf(`(location.href = %q, document.querySelector('main') !== null)`, world.base+"/"))
	w.sees("battery-shed", "Nothing is published yet.")
	w.addsBoth()
	w.seesMessagesAndFailures()
	w.editsInTwoTabs()
	w.isLoggedOutWhileTyping()
	w.pausesAndRemoves()
	w.opensEightTabs()
	w.hasNoScript()
}

// token returns the admin token that the agent uses.
func (w *walk) token() string {
	return strings.TrimSpace(w.world.does(w.world.agent, "token", "show", "--config", w.world.dir+"/config.yaml"))
}

// addsBoth adds both integrations: first with a wrong ARN and without a login, then with a wrong token.
func (w *walk) addsBoth() {
	w.goes("/")
	w.presses("Add AWS integration")
	w.presses("Add AWS integration")
	const arn = "arn:aws:sns:us-east-2:393221637266:MainSolarData"
	w.types("Name", "main-solar", "Objects", "adc_vbterm, charge_state", "Topic ARN", arn[8:])
	w.presses("Submit")
	w.sees("Log in to change things.")
	audit(w.t, w.browser)
	w.types("Admin token or one-time code", "wrong")
	w.presses("Submit")
	w.until("the typed name", `document.querySelector('#f-name').value === 'main-solar'`)
	w.types("Admin token or one-time code", w.token())
	w.presses("Submit")
	w.sees("1 field needs correcting", "Topic ARN: ")
	audit(w.t, w.browser)
	w.types("Topic ARN", arn)
	w.presses("Submit")
	w.sees("main-solar is active.", "First message accepted, message id ")

	w.goes("/integrations/gcp")
	w.presses("Add GCP integration")
	w.types("Name", "bigquery", "Objects", "adc_vbterm", "Project ID", "test-project", "Topic", "MainSolarData")
	w.presses("Submit")
	w.sees("bigquery is active.", "First message accepted, message id ")
}

// seesMessagesAndFailures checks the table, which is updated without a reload. Then it checks that a refusal is shown
// with its remedy.
func (w *walk) seesMessagesAndFailures() {
	w.goes("/triggers")
	w.until("a row that is new", `(() => {
		const first = document.querySelector('tr[data-key]').dataset.key;
		window.first ??= first;
		return first !== window.first;
	})()`)
	w.world.does(w.world.sim, "fault", "--dir", w.world.dir, "cloud", "sns", "refuse")
	w.sees("false refused", "AuthorizationError")
	w.goes("/triggers?success=false")
	w.until("a link to the failure", `(() => { const a = document.querySelector('td a'); if (a) location.href = a.href; return !!a; })()`)
	w.sees("Not delivered", "Answer of AWS", "What to do")
	w.world.does(w.world.sim, "fault", "--dir", w.world.dir, "cloud", "sns", "ok")
	w.presses("Try now")
	w.sees("main-solar tries again now.", "First message accepted")
	w.presses("Test")
	w.sees("The test message was accepted.", "identity")
	w.presses("What AWS needs")
	w.sees("aws sns create-topic --name MainSolarData", "sns:Publish")
}

// editsInTwoTabs edits the same integration in two tabs: the second one shows both versions.
func (w *walk) editsInTwoTabs() {
	w.goes("/integrations/aws")
	w.presses("Edit")
	second, end := chromedp.NewContext(w.browser)
	defer end()
	other := &walker{w.t, second, w.world.base}
	other.goes("/integrations/aws")
	other.presses("Edit")
	other.types("Objects", "T_*")
	other.presses("Submit")
	other.sees("main-solar is active.")
	w.types("Objects", "adc_ia")
	w.presses("Submit")
	w.sees("It was changed while you edited", "T_*", "adc_ia")
	w.presses("Submit")
	w.sees("main-solar is active.")
}

// isLoggedOutWhileTyping ends the session while a form is open.
func (w *walk) isLoggedOutWhileTyping() {
	w.presses("Edit")
	w.types("Objects", "adc_il, charge_state")
	w.world.does(w.world.agent, "token", "rotate", "--config", w.world.dir+"/config.yaml")
	w.presses("Submit")
	w.sees("What you typed is kept.")
	w.until("the typed objects", `document.querySelector('#f-objects').value === 'adc_il, charge_state'`)
	w.types("Admin token or one-time code", w.token())
	w.presses("Submit")
	w.sees("main-solar is active.", "adc_il, charge_state")
}

// pausesAndRemoves pauses, resumes and removes an integration, and checks that both its objects were sent.
func (w *walk) pausesAndRemoves() {
	w.presses("Pause")
	w.sees("main-solar is paused.", "paused")
	w.presses("Resume")
	w.sees("main-solar is active again.")
	w.presses("Remove…")
	w.sees("Remove main-solar?")
	w.presses("Remove")
	w.sees("The integration was removed.", "There is no AWS integration yet.")
	for _, sent := range []string{`"object":"adc_vbterm"`, `"object":"charge_state"`} {
		if !strings.Contains(w.world.text(), sent) {
			w.t.Errorf("the clouds have not accepted %s", sent)
		}
	}
}

// opensEightTabs opens eight tabs at the same time: a browser opens only six connections to one host.
func (w *walk) opensEightTabs() {
	for range 8 {
		tab, end := chromedp.NewContext(w.browser)
		defer end()
		must(w.t, tab, page.BringToFront(), chromedp.Navigate(w.world.base+"/triggers"))
		(&walker{w.t, tab, w.world.base}).until("a live page", `document.querySelector('.fresh.live') !== null`)
	}
}

// hasNoScript checks that everything except updates works without a script.
func (w *walk) hasNoScript() {
	tab, end := chromedp.NewContext(w.browser)
	defer end()
	must(w.t, tab, emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(w.world.base+"/triggers?object=adc_*"))
	var html string
	must(w.t, tab, chromedp.OuterHTML("html", &html))
	if !strings.Contains(html, "adc_vbterm") || !strings.Contains(html, `http-equiv="refresh"`) {
		w.t.Errorf("without a script: %.600s", html)
	}
}
