package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// confirm asks a person at a terminal whether to continue. Without a terminal the flag --yes is needed.
func (p *Program) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	if !isReadable(p.Stdin) {
		return misused(errors.New(question+" Without a terminal this needs --yes"), "add --yes, if that is meant")
	}
	fmt.Fprintf(p.Stderr, "%s Go on? [y/N] ", question)
	answer, err := bufio.NewReader(p.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return failed(errors.New("nothing was done"), "")
	}
}

// isReadable reports whether r is a terminal, so that a person can answer.
func isReadable(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && isTerminal(f)
}
