package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choice is a flag whose value is one of some words.
type choice struct {
	into  *string
	words []string
	short map[string]string // other spellings
}

func (c choice) String() string { return *c.into }

func (c choice) Type() string { return "choice" }

// Set implements pflag.Value.
func (c choice) Set(text string) error {
	word, err := c.word(text)
	if err == nil {
		*c.into = word
	}
	return err
}

func (c choice) word(text string) (string, error) {
	if full, ok := c.short[text]; ok {
		text = full
	}
	if !slices.Contains(c.words, text) {
		return "", fmt.Errorf("want %s, not %q", orList(c.words), text)
	}
	return text, nil
}

// choices is a flag whose value is a list of some words. The list may be separated by commas, or the flag repeated.
type choices struct {
	into  *[]string
	one   choice
	given *bool
}

func (c choices) String() string { return strings.Join(*c.into, ",") }

func (c choices) Type() string { return "choices" }

// Set implements pflag.Value. The first value replaces the default.
func (c choices) Set(text string) error {
	if !*c.given {
		*c.into, *c.given = nil, true
	}
	for word := range strings.SplitSeq(text, ",") {
		word, err := c.one.word(word)
		if err != nil {
			return err
		}
		*c.into = append(*c.into, word)
	}
	return nil
}

// orList joins words to "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// choose adds a flag whose value is one of some words. A shell can complete them.
func choose(cmd *cobra.Command, into *string, name string, words []string, usage string) *pflag.Flag {
	cmd.Flags().Var(choice{into: into, words: words}, name, usage)
	// the flag is there
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return cmd.Flags().Lookup(name)
}

// chooseSome adds a flag whose value is a list of some words.
func chooseSome(cmd *cobra.Command, into *[]string, name string, words []string, short map[string]string,
	usage string) {
	cmd.Flags().Var(choices{into: into, one: choice{words: words, short: short}, given: new(bool)}, name, usage)
	_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// optionalInt is a flag with a number. nil means that the flag is not given, so that 0 is a valid value.
type optionalInt struct{ into **int }

func (o optionalInt) String() string {
	if *o.into == nil {
		return ""
	}
	return fmt.Sprint(**o.into)
}

func (o optionalInt) Type() string { return "int" }

// Set implements pflag.Value.
func (o optionalInt) Set(text string) error {
	n, err := parseInt(text)
	if err == nil {
		*o.into = &n
	}
	return err
}

// wanted returns a description of the values of a flag, by its type; "" if the error of the flag has one.
func wanted(kind string) string {
	return map[string]string{
		"int": "a whole number", "uint64": "a whole number", "intSlice": "whole numbers, separated by commas",
		"duration": "a time such as 500ms, 10s or 2h", "bool": "true or false",
	}[kind]
}

// flagFault returns a clear error for an error of the flag parser.
func flagFault(cmd *cobra.Command, err error) error {
	var absent *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &absent):
		return unknownFlag(cmd, absent)
	case errors.As(err, &empty):
		name, _ := pflag.UnquoteUsage(empty.GetFlag())
		return misused(errorf("--%s wants a value: --%s %s", empty.GetFlag().Name, empty.GetFlag().Name,
			strings.ToUpper(name)), helpOf(cmd))
	case errors.As(err, &wrong):
		flag := wrong.GetFlag()
		if want := wanted(flag.Value.Type()); want != "" {
			return misused(errorf("--%s: want %s, not %q", flag.Name, want, escaped(wrong.GetValue())), helpOf(cmd))
		}
		return misused(errorf("--%s: %w", flag.Name, errors.Unwrap(wrong)), helpOf(cmd))
	default:
		return misused(err, helpOf(cmd))
	}
}

func unknownFlag(cmd *cobra.Command, absent *pflag.NotExistError) error {
	if absent.GetSpecifiedShortnames() != "" {
		return misused(errorf("unknown flag -%s", escaped(absent.GetSpecifiedName())), helpOf(cmd))
	}
	var known []string
	see := func(f *pflag.Flag) { known = append(known, f.Name) }
	cmd.Flags().VisitAll(see)
	cmd.InheritedFlags().VisitAll(see)
	f := unknown("flag", absent.GetSpecifiedName(), known)
	f.err = errorf("unknown flag --%s", escaped(absent.GetSpecifiedName()))
	if f.hint == "" {
		f.hint = helpOf(cmd)
	} else {
		f.hint = strings.Replace(f.hint, "mean ", "mean --", 1)
	}
	return f
}

func parseInt(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("want a whole number, not %q", text)
	}
	return n, nil
}
