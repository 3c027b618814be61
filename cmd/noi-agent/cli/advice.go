package cli

import (
	"slices"
	"strings"

	"noi-agent/internal/shell"
)

// advised returns a text in which each command of noi-agent has the --config and --socket of this command line, so that
// the command works when a person copies it. Commands with --config or --help stay unchanged.
func (cli *commandLine) advised(text string) string {
	chosen := ""
	if cli.Config != "" && cli.Config != defaultConfig {
		chosen = " --config " + shell.Quote(cli.Config)
	}
	if cli.Socket != "" {
		chosen += " --socket " + shell.Quote(cli.Socket)
	}
	if chosen == "" {
		return text
	}
	const program = "noi-agent "
	parts := strings.Split(text, program)
	for i, part := range parts[1:] {
		command := cli.commandOf(part)
		rest := part[len(command):]
		if command != "" && !strings.HasPrefix(rest, " --config") && !strings.HasPrefix(rest, " --help") {
			parts[1+i] = command + chosen + rest
		}
	}
	return strings.Join(parts, program)
}

// commandOf returns the command at the beginning of a text, such as "check" or "setup aws"; "" if there is none.
func (cli *commandLine) commandOf(text string) string {
	word, command := firstWord(text), ""
	if slices.Contains(cli.commands, word) {
		command = word
	}
	if two := word + " " + firstWord(strings.TrimPrefix(text[len(word):], " ")); slices.Contains(cli.commands, two) {
		command = two
	}
	return command
}

// firstWord returns the small letters and hyphens at the beginning of a text.
func firstWord(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') })
	if end < 0 {
		return text
	}
	return text[:end]
}

// hintOf returns the hint of a fault, as text to copy. If the configuration is not that of the service, systemctl does
// not start its daemon.
func (cli *commandLine) hintOf(f *fault) string {
	if f.code == codeAbsent && cli.Config != "" && cli.Config != defaultConfig {
		return cli.advised("noi-agent run")
	}
	return cli.advised(f.hint)
}
