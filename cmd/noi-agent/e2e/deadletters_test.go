package e2e

import (
	"fmt"
	"strings"
	"testing"

	"noi-agent/cmd/noi-agent/cli"
	"noi-agent/cmd/noi-agent/clitest"
	"noi-agent/sinks/sinktest/standin"
)

// letters runs `noi-agent deadletters …`.
func letters(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := run1(append([]string{"deadletters"}, args...)...)
	if code != want {
		t.Fatalf("deadletters %v exits %d: %s%s", args, code, stdout, stderr)
	}
	return stdout, stderr
}

func TestDeadLettersAreListedSentAndDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fixedSlave())
	w.sns.SetFault(standin.Always(standin.Fault{Code: "InvalidParameter", Text: "Invalid parameter: Message too long"}))
	config := w.keeping()
	daemon := w.start(config, nil)
	eventually(t, "SNS has rejected the samples", func() bool {
		_, body, _ := run1("status", "--json", "--config", config)
		return strings.Contains(body, fmt.Sprintf(`"dead_letters":%d`, keptSamples))
	})
	list, _ := letters(t, cli.ExitDone, "list", "--config", config)
	if byName, _ := letters(t, cli.ExitDone, "list", "--integration", "main-solar", "--config", config); byName != list {
		t.Errorf("by name %q are listed, want %q", byName, list)
	}
	clitest.MustHold(t, list, "charge_state", "InvalidParameter: Invalid parameter: Message too long", testTopicARN)
	if n := strings.Count(list, "false\t"); n != keptSamples {
		t.Errorf("%d are listed", n)
	}
	_, text, _ := run1("status", "--config", config)
	clitest.MustHold(t, text, fmt.Sprintf("%d dead letters: noi-agent deadletters", keptSamples), fmt.Sprintf("! %d messages of main-solar set aside ", keptSamples))
	_, text, _ = run1("status", "--verbose", "--config", config)
	clitest.MustHold(t, text, fmt.Sprintf("%d dead letters since 20", keptSamples), "code: dead_letters")
	clitest.MustHold(t, string(w.get("/")), fmt.Sprintf("%d messages of main-solar set aside", keptSamples))
	_, fault := letters(t, cli.ExitFailed, "retry", "--all", "--config", config)
	clitest.MustHold(t, fault, "some were rejected again")
	w.sns.SetFault(nil)
	lines := strings.Split(strings.TrimSpace(list), "\n")
	first := lines[1][strings.LastIndex(lines[1], "\t")+1:] // under the header, in the last column
	_, fault = letters(t, cli.ExitMisused, "drop", "--all", "--config", config)
	clitest.MustHold(t, fault, fmt.Sprintf("This deletes %d rejected samples for good", keptSamples), "hint: add --yes")
	out, _ := letters(t, cli.ExitDone, "drop", first, "--config", config)
	clitest.MustHold(t, out, "1 dropped")
	_, fault = letters(t, cli.ExitFailed, "drop", first, "--config", config)
	clitest.MustHold(t, fault, first+" is no dead letter")
	letters(t, cli.ExitMisused, "retry", "--config", config)
	out, _ = letters(t, cli.ExitDone, "retry", "--all", "--json", "--config", config)
	clitest.MustHold(t, out, `"sent": 3`, `"rejected": 0`)
	if n := len(w.sns.Messages()); n != keptSamples-1 {
		t.Errorf("SNS has %d messages, want %d", n, keptSamples-1)
	}
	out, _ = letters(t, cli.ExitDone, "list", "--config", config)
	if out != "" {
		t.Errorf("an empty list prints %q", out)
	}
	out, _ = letters(t, cli.ExitDone, "retry", "--all", "--config", config)
	clitest.MustHold(t, out, "nothing to retry")
	if daemon.stop() != cli.ExitDone {
		t.Error("the daemon did not end well")
	}
}
