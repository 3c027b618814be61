package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// asker gets the answers for init: from a flag, otherwise from the person at the terminal, otherwise the proposal.
type asker struct {
	screen io.Writer
	input  io.Reader   // nil: there is no terminal, and nothing is asked
	lines  chan string // the typed lines; closed at the end of the input
}

func newAsker(p *Program) asker {
	a := asker{screen: p.Stderr}
	if isReadable(p.Stdin) {
		a.input = p.Stdin
	}
	return a
}

// say prints a line for the person.
func (a *asker) say(format string, args ...any) { sentence(a.screen, format, args...) }

// prompt prints a question. The answer is typed behind it.
func (a *asker) prompt(text, proposal string) {
	fmt.Fprint(a.screen, fitted(a.screen, text+brackets(proposal)+":"), " ")
}

// question is one question of init.
type question struct {
	flag     string             // the flag that answers the question; "": none
	given    *string            // the value of the flag; nil: it is not on the command line
	text     string             // a few words, without a colon
	proposal string             // the answer if the person presses Enter, or if there is no terminal
	take     func(string) error // checks and stores an answer
}

// put asks until an answer is valid. An invalid flag, and an invalid proposal without a terminal, are a wrong usage.
func (a *asker) put(ctx context.Context, q question) error {
	switch {
	case q.given != nil:
		return flagError(q.flag, q.take(*q.given))
	case a.input == nil:
		return flagError(q.flag, q.take(q.proposal))
	}
	for {
		a.prompt(q.text, q.proposal)
		answer, err := a.line(ctx)
		if err != nil {
			return err
		}
		if answer == "" {
			answer = q.proposal
		}
		if err = q.take(answer); err == nil {
			return nil
		}
		a.say("  %s", strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
}

func brackets(proposal string) string {
	if proposal == "" {
		return ""
	}
	return " [" + proposal + "]"
}

func flagError(flag string, err error) error {
	if err == nil {
		return nil
	}
	return misused(fmt.Errorf("--%s: %w", flag, err), "noi-agent init --help")
}

// line waits for a typed line, and returns it without blanks at both ends. It fails when ctx or the input ends.
func (a *asker) line(ctx context.Context) (string, error) {
	if a.lines == nil {
		a.lines = make(chan string)
		go readLines(a.input, a.lines)
	}
	select {
	case text, ok := <-a.lines:
		if !ok {
			return "", failed(errors.New("the input has ended; nothing was written"), "")
		}
		return text, nil
	case <-ctx.Done():
		a.say("")
		return "", errors.New("stopped; nothing was written")
	}
}

// readLines reads the terminal until its end. A read of a terminal cannot be interrupted, so after Ctrl-C it ends only
// with the program.
func readLines(from io.Reader, into chan<- string) {
	defer close(into)
	for s := bufio.NewScanner(from); s.Scan(); {
		into <- strings.TrimSpace(s.Text())
	}
}

// yes asks a question with the answers y and n. Without a terminal it returns the proposal.
func (a *asker) yes(ctx context.Context, text string, proposal bool) (answer bool, err error) {
	if a.input == nil {
		return proposal, nil
	}
	shown := "n"
	if proposal {
		shown = "y"
	}
	err = a.put(ctx, question{text: text + " (y/n)", proposal: shown, take: func(word string) error {
		switch strings.ToLower(word) {
		case "y", "yes":
			answer = true
		case "n", "no":
			answer = false
		default:
			return errors.New("y or n")
		}
		return nil
	}})
	return answer, err
}
