package cli

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"

	"noi-agent/cmd/noi-agent/clitest"
)

// Only this test makes the manual, so that the daemon links no generator: go test ./cmd/noi-agent/cli -run Manual
// -update

// TestManualIsTrue makes docs/cli.md and the man pages from the commands, and compares them with the files.
func TestManualIsTrue(t *testing.T) {
	root, _ := testProgram(t).root()
	clitest.Document(t, "../../..", "cli.md", manual(root))
	clitest.Renewed(t, "../../../packaging/man/noi-agent.1", md2man.Render(manPage(root)))
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, script, stderr := run1("completion", shell)
		if code != ExitDone {
			t.Fatalf("completion %s exits %d: %s", shell, code, stderr)
		}
		clitest.Renewed(t, "../../../packaging/completions/noi-agent."+shell, []byte(script))
	}
}

// manPage returns the one page of all commands, in the Markdown of md2man.
func manPage(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString(`% "NOI-AGENT" "1" "" "" "NOI agent"

# NAME
noi-agent - send samples of solar charge controllers to the cloud

# SYNOPSIS
**noi-agent** *COMMAND* [*FLAG*]...

# DESCRIPTION
**noi-agent run** is the daemon. It polls solar charge controllers over Modbus RTU, keeps every sample in a local store through
outages, and publishes to an AWS SNS or Google Pub/Sub topic. The other commands check a configuration, look at a line, or ask the daemon.

# COMMANDS
`)
	for _, cmd := range everyCommand(root)[1:] {
		fmt.Fprintf(&b, "## %s\n%s %s\n\n```\n%s\n```\n\n", usageOf(cmd), cmd.Short, wrapped(cmd.Long, math.MaxInt), unindented(cmd.Example))
		if flags := without(cmd.LocalNonPersistentFlags(), "help"); flags.HasAvailableFlags() {
			fmt.Fprintf(&b, "```\n%s```\n\n", flags.FlagUsagesWrapped(manualWidth))
		}
	}
	fmt.Fprintf(&b, "# FLAGS OF EVERY COMMAND\n\n```\n%s```\n", root.PersistentFlags().FlagUsagesWrapped(manualWidth))
	b.WriteString(`
# FILES
/etc/noi-agent/config.yaml
: the configuration

/usr/share/noi-agent/config.yaml.example
: an example with every key

/var/lib/noi-agent
: samples that wait for the clouds

/usr/share/doc/noi-agent/README.md
: the documents

# EXIT STATUS
0 success, 1 failure or a fault was found, 2 wrong usage, 130 stopped by Ctrl-C.

# SEE ALSO
**noi-sim**(1)
`)
	return b.Bytes()
}

// everyCommand lists all commands that a person calls, parents first.
func everyCommand(cmd *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if !sub.Hidden {
			list = append(list, everyCommand(sub)...)
		}
	}
	return list
}

// manual returns the content of docs/cli.md.
func manual(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString(`# Commands

This page is made from the program's own help. ` + "`noi-agent COMMAND --help`" + ` prints the same, in the width of the terminal.

A command prints its result on stdout, and everything else on stderr. On a terminal a table fits the width. Behind a pipe its cells are
separated by tabs, and nothing is shortened. ` + "`--json`" + ` prints the same JSON as the API. Errors are then problem+json (RFC 9457) on stderr.

| exit code | meaning |
|---|---|
| 0 | success |
| 1 | failure; or ` + "`check`, `publish-test`, `doctor` or `status --check`" + ` found a fault |
| 2 | wrong usage: an unknown command or flag, a wrong value, a name that does not exist |
| 130 | stopped by Ctrl-C or SIGTERM |

`)
	fmt.Fprintf(&b, "Flags of every command:\n\n```\n%s```\n", root.PersistentFlags().FlagUsagesWrapped(manualWidth))
	for _, cmd := range everyCommand(root)[1:] {
		if cmd.HasAvailableSubCommands() && cmd.RunE != nil && cmd.Annotations[needKey] == "" {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", cmd.CommandPath(), cmd.Short)
		if cmd.Long != "" {
			fmt.Fprintf(&b, "\n%s\n", wrapped(cmd.Long, math.MaxInt))
		}
		if needs := needsOf(cmd); needs != "" {
			fmt.Fprintf(&b, "\nNeeds %s.\n", needs)
		}
		fmt.Fprintf(&b, "\n```\n%s\n```\n\n```sh\n%s\n```\n", usageOf(cmd), unindented(cmd.Example))
		if cmd.HasAvailableLocalFlags() {
			if flags := without(cmd.LocalNonPersistentFlags(), "help"); flags.HasAvailableFlags() {
				fmt.Fprintf(&b, "\n```\n%s```\n", flags.FlagUsagesWrapped(manualWidth))
			}
		}
	}
	return b.Bytes()
}

const manualWidth = 100

// needsOf returns the needs of a command, or those of its parent if the command has none.
func needsOf(cmd *cobra.Command) string {
	for ; cmd != nil; cmd = cmd.Parent() {
		if needs := cmd.Annotations[needKey]; needs != "" {
			return needs
		}
	}
	return ""
}

func unindented(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "  "), "\n  ", "\n")
}
