package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// since010 are the command lines of the first version, each with all flags of its command. They must stay accepted.
const since010 = `
run -c FILE --config FILE --config=FILE --json --socket FILE
check -c FILE --json
scan --port PORT --line NAME --baud 9600,19200 --baud 4800 --parity none,even --parity odd --stop-bits 1,2 --units 1-10,17 --function 04,03 --timeout 2s
scan --units 0,1,255 --function 03
read adc_vbterm 0x0012 0x0012+4 0x0012-0x0015 --line NAME --unit 1 --function 04 --model PSPWM
read 0x0012 --function 4 --port PORT --baud 9600 --parity even --stop-bits 1 --timeout 500ms
plan -cFILE --json
objects --family PSPWM --markdown
triggers --integration ID --success true --gaps --limit 20 --before 7
triggers --success=false --json
status --config FILE --json --socket FILE
--config FILE status
--json --socket FILE status
reload
export --from 2022-06-28 --to 2022-06-29T08:20:29Z --format jsonl
export --from 24h --format csv --json
replay --integration ID --from 2022-06-28 --to 2022-06-29
deadletters list --integration ID
deadletters retry 1 2 --integration ID
deadletters retry --all
deadletters drop 1 2 --integration ID
deadletters drop --all
version --json
publish-test
publish-test ID --dry-run
setup aws
setup aws ID --topic NAME --region us-east-2 --account 123456789012 --method user --thing noi-1
setup aws --method iot
setup aws --method roles-anywhere
setup gcp ID --topic NAME --project ID --method key
setup gcp --method workload-identity
store-check FILE
`

// parse reads a command line as Run does, without running the command.
func parse(t *testing.T, args []string) error {
	t.Helper()
	root, _ := testProgram(t).root()
	var parsed error
	stub(root, &parsed)
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		return err
	}
	return parsed
}

// stub replaces the action of every command, so that the command does nothing.
func stub(cmd *cobra.Command, into *error) {
	if cmd.RunE != nil && cmd.HasParent() {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.HasAvailableSubCommands() {
				*into = noSuchCommand(cmd, args)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		stub(sub, into)
	}
}

func testProgram(t *testing.T) *Program {
	t.Helper()
	var out strings.Builder
	return &Program{Stdout: &out, Stderr: &out, Version: "1.0.10"}
}

func TestCommandLinesOfTheFirstVersionAreAccepted(t *testing.T) {
	n := 0
	for line := range strings.Lines(since010) {
		args := strings.Fields(line)
		if len(args) == 0 {
			continue
		}
		n++
		if err := parse(t, args); err != nil {
			t.Errorf("noi-agent %s: %v", strings.TrimSpace(line), err)
		}
	}
	if n < 30 {
		t.Errorf("%d command lines tried", n)
	}
	for _, wrong := range []string{"status --nope", "fly", "export --format xml", "scan --units 300", "read"} {
		if parse(t, strings.Fields(wrong)) == nil {
			t.Errorf("noi-agent %s is accepted", wrong)
		}
	}
}

// TestEveryCommandExplainsItself: each command has two examples that parse, and a text for each flag.
func TestEveryCommandExplainsItself(t *testing.T) {
	root, _ := testProgram(t).root()
	seen := 0
	var see func(*cobra.Command)
	see = func(cmd *cobra.Command) {
		if !cmd.Hidden {
			seen++
			if n := strings.Count(strings.TrimSpace(cmd.Example), "\n") + 1; n != 2 || cmd.Example == "" {
				t.Errorf("%s has %d examples, not two", cmd.CommandPath(), n)
			}
			if !strings.HasSuffix(cmd.Short, ".") || len(cmd.Short) > 110 {
				t.Errorf("%s has the short text %q", cmd.CommandPath(), cmd.Short)
			}
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s has the text %q", cmd.CommandPath(), f.Name, f.Usage)
			}
		})
		for _, sub := range cmd.Commands() {
			see(sub)
		}
	}
	see(root)
	if seen < 20 {
		t.Errorf("%d commands seen", seen)
	}
}

// TestMisspeltWordsAreRecognised: the hint has the right word for a misspelt command, flag or value of a flag.
func TestMisspeltWordsAreRecognised(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"stauts", "unknown command \"stauts\"\nhint: did you mean status?\n"},
		{"deadletters dorp", "unknown command \"dorp\"\nhint: did you mean drop?\n"},
		{"setup awz", "unknown command \"awz\"\nhint: did you mean aws?\n"},
		{"help stauts", "unknown command \"stauts\"\nhint: did you mean status?\n"},
		{"status --jsno", "unknown flag --jsno\nhint: did you mean --json?\n"},
		{"status -x", "unknown flag -x\nhint: noi-agent status --help\n"},
		{"status --config", "--config wants a value: --config FILE\nhint: noi-agent status --help\n"},
		{"deadletters drop abc", "want the id of a dead letter, a number, not \"abc\"\nhint: noi-agent deadletters list\n"},
		{"triggers --limit many", "--limit: want a whole number, not \"many\"\nhint: noi-agent triggers --help\n"},
		{"triggers --limit 0", "--limit: want 1 to 1000 rows, not 0\nhint: noi-agent triggers --help\n"},
		{"triggers --success maybe", "--success: want true or false, not \"maybe\"\nhint: noi-agent triggers --help\n"},
		{"scan --timeout soon", "--timeout: want a time such as 500ms, 10s or 2h, not \"soon\"\nhint: noi-agent scan --help\n"},
		{"objects --family pspwn", "did you mean PSPWM?\n"},
		{"status now", "noi-agent status takes no argument, not \"now\"\nhint: noi-agent status --help\n"},
		{"replay", "name the integration: --integration NAME\nhint: noi-agent replay --help\n"},
		{"fly\x1b[2J", `unknown command "fly\\u001b[2J"`},
	} {
		code, stdout, stderr := run1(strings.Fields(c.args)...)
		if code != ExitMisused || stdout != "" || !strings.Contains(stderr, c.want) || !strings.HasPrefix(stderr, "noi-agent: ") {
			t.Errorf("%s exits %d, stdout %q, stderr %q; want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

func TestHelpAndVersionAreFound(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"help", "Usage: noi-agent COMMAND"}, {"--help", "Usage: noi-agent COMMAND"}, {"help scan", "Usage: noi-agent scan [PORT]"},
		{"scan -h", "Usage: noi-agent scan [PORT]"}, {"help setup aws", "--account"}, {"--version", "noi-agent 1.0.10 ("}, {"version", "noi-agent 1.0.10 ("},
		{"completion bash", "__start_noi-agent"}, {"completion zsh", "#compdef noi-agent"}, {"completion fish", "complete -c noi-agent"},
	} {
		code, stdout, stderr := run1(strings.Fields(c.args)...)
		if code != ExitDone || stderr != "" || !strings.Contains(stdout, c.want) {
			t.Errorf("%s exits %d, no %q in\n%s%s", c.args, code, c.want, stdout, stderr)
		}
	}
}
