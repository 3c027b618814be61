package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newHelp returns the command `noi-agent help [COMMAND]`, which does the same as --help.
func newHelp(*session) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Explain a command.", GroupID: groupRun,
		Example:     "  noi-agent help scan\n  noi-agent help setup aws",
		Annotations: map[string]string{needKey: string(needsNothing)},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			of, _, err := cmd.Root().Find(args)
			if err != nil || of == nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, c := range of.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			of := cmd.Root()
			for _, word := range args {
				next, _, err := of.Find([]string{word})
				if err != nil || next == of {
					return noSuchCommand(of, []string{word})
				}
				of = next
			}
			return of.Help()
		},
	}
}

// help prints the help of a command: what it does, its examples, then its commands and flags.
func (p *Program) help(cmd *cobra.Command, _ []string) {
	w, width := p.Stdout, min(p.width(), helpWidth)
	fmt.Fprintf(w, "%s\n", wrapped(cmd.Short, width))
	if cmd.Example != "" {
		fmt.Fprintf(w, "\n%s\n", examples(cmd.Example, width))
	}
	if cmd.Long != "" {
		fmt.Fprintf(w, "\n%s\n", wrapped(cmd.Long, width))
	}
	fmt.Fprintf(w, "\nUsage: %s\n", usageOf(cmd))
	printSubcommands(w, cmd, width)
	if cmd.Flags().HasAvailableFlags() && cmd.HasAvailableLocalFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", cmd.LocalNonPersistentFlags().FlagUsagesWrapped(width))
	}
	shared := cmd.InheritedFlags()
	if !cmd.HasParent() {
		shared = cmd.PersistentFlags()
	}
	shared = without(shared, "help")
	fmt.Fprintf(w, "\nFlags of every command:\n%s", shared.FlagUsagesWrapped(width))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s COMMAND --help explains a command.\n", cmd.CommandPath())
	}
}

// examples returns the examples of a command. If an example with its remark is wider than width, the remark is above
// the example.
func examples(text string, width int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		command, remark, found := strings.Cut(line, " # ")
		if found && runes(line) > width {
			lines[i] = "  # " + remark + "\n" + strings.TrimRight(command, " ")
		}
	}
	return strings.Join(lines, "\n")
}

// helpWidth is the most columns of a help text. Longer lines are hard to read.
const helpWidth = 100

func usageOf(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND [flags]"
	}
	use := cmd.CommandPath()
	if _, args, ok := strings.Cut(cmd.Use, " "); ok {
		use += " " + args
	}
	return use + " [flags]"
}

func without(set *pflag.FlagSet, name string) *pflag.FlagSet {
	rest := pflag.NewFlagSet("", pflag.ContinueOnError)
	rest.SortFlags = false
	set.VisitAll(func(f *pflag.Flag) {
		if f.Name != name {
			rest.AddFlag(f)
		}
	})
	return rest
}

// printSubcommands lists the commands, by group.
func printSubcommands(w io.Writer, cmd *cobra.Command, width int) {
	list := func(title, group string) {
		head := title
		for _, c := range cmd.Commands() {
			if c.GroupID != group || !c.IsAvailableCommand() && c.Name() != "help" {
				continue
			}
			if head != "" {
				fmt.Fprintf(w, "\n%s\n", head)
				head = ""
			}
			const indent = 18
			text := strings.ReplaceAll(wrapped(c.Short, width-indent), "\n", "\n"+strings.Repeat(" ", indent))
			fmt.Fprintf(w, "  %-*s%s\n", indent-2, c.Name(), text)
		}
	}
	for _, g := range cmd.Groups() {
		list(g.Title, g.ID)
	}
	list("Commands:", "")
}

// wrapped breaks a text at blanks into lines of at most width columns. A line that begins with a blank stays unchanged.
// A number and its unit stay on one line.
func wrapped(text string, width int) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		if strings.HasPrefix(line, " ") {
			b.WriteString(line)
			continue
		}
		column := 0
		for j, word := range wordsOf(line) {
			n := runes(word)
			switch {
			case j > 0 && column+1+n > width:
				b.WriteByte('\n')
				column = 0
			case j > 0:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += n
		}
	}
	return b.String()
}

// wordsOf returns the words of a line. A number and its unit are one word.
func wordsOf(line string) (words []string) {
	for _, word := range strings.Fields(line) {
		last := len(words) - 1
		if last >= 0 && endsInDigit(words[last]) && slices.Contains(units(), strings.TrimRight(word, ".,;:)")) {
			words[last] += " " + word
			continue
		}
		words = append(words, word)
	}
	return words
}

func endsInDigit(word string) bool {
	end := word[len(word)-1]
	return '0' <= end && end <= '9'
}

// units returns the units that follow a number in the texts of the program.
func units() []string {
	return []string{"ms", "s", "min", "h", "d", "B", "kB", "MB", "GB", "KiB", "MiB", "GiB", "%", "V", "A", "W", "baud"}
}
