package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"noi-agent/status/api"
	"noi-agent/status/guard"
)

type loginCommand struct{}

func newLogin(s *session) *cobra.Command {
	return s.bind(&cobra.Command{
		Use: "login", Short: "Print a one-time code to log in with on the status page.",
		Example: `  sudo noi-agent login
  noi-agent login --json | jq -r .code`,
		Long: "The code is valid for five minutes and for one login. On a terminal the command also prints the " +
			"address as a QR code. Compare the fingerprint of the certificate with the one that the browser shows.",
	}, &loginCommand{})
}

// login is the JSON of `noi-agent login --json`.
type login struct {
	api.LoginCode
	Addresses   []string `json:"addresses"`
	Fingerprint string   `json:"fingerprint,omitempty"`
}

// Run asks the daemon for a code, and prints it with the address of the page.
func (*loginCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	socket, err := cli.socket()
	if err != nil {
		return err
	}
	s, err := cli.daemonStatus(ctx)
	if err != nil {
		return err
	}
	if s.Endpoint == nil {
		return failed(errors.New("the agent has no page to log in on: it does not listen over TCP"),
			"set status.listen in the configuration, then  sudo systemctl restart noi-agent")
	}
	body, err := daemonSocket{socket, askLimit}.post(ctx, "/api/v1/login-code", struct{}{})
	if err != nil {
		return err
	}
	l := login{Addresses: s.Endpoint.Addresses, Fingerprint: s.Endpoint.Fingerprint}
	if err := plainJSON(body, &l.LoginCode); err != nil {
		return err
	}
	if cli.JSON {
		return printJSON(p.Stdout, l)
	}
	return l.print(p.Stdout, isTerminal(p.Stdout))
}

func (l *login) print(w io.Writer, terminal bool) error {
	address, certificate := l.Addresses[0], ""
	if l.Fingerprint != "" {
		certificate = " (certificate " + shortPrint(l.Fingerprint) + ")"
	}
	fmt.Fprintf(w, "Open %s%s and enter  %s  within %d minutes.\n", address, certificate, l.Code, l.ExpiresS/60)
	for _, other := range l.Addresses[1:] {
		fmt.Fprintf(w, "or   %s\n", other)
	}
	if !terminal {
		return nil
	}
	if l.Fingerprint != "" {
		fmt.Fprintf(w, "fingerprint %s\n", l.Fingerprint)
	}
	code, err := qr.Encode(address, qr.L)
	if err != nil {
		return fmt.Errorf("draw the QR code: %w", err)
	}
	_, err = io.WriteString(w, "\n"+drawQR(code.Black, code.Size))
	return err
}

// shortPrint returns the beginning and the end of a fingerprint: "9F:3A:…:C2".
func shortPrint(fingerprint string) string {
	const begin, end = len("9F:3A:"), len(":C2")
	if len(fingerprint) <= begin+end {
		return fingerprint
	}
	return fingerprint[:begin] + "…" + fingerprint[len(fingerprint)-end:]
}

// drawQR draws a QR code as text, with two rows of the code in each line. Black modules are blanks and white modules
// are block characters, because most terminals are dark. Readers accept the inverse too. Around the code is the quiet
// zone of four modules that readers need.
func drawQR(black func(x, y int) bool, size int) string {
	const quiet = 4
	light := func(x, y int) bool { return y < size+quiet && !black(x, y) }
	var b strings.Builder
	for y := -quiet; y < size+quiet; y += 2 {
		for x := -quiet; x < size+quiet; x++ {
			switch upper, lower := light(x, y), light(x, y+1); {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteRune(' ')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func newToken(s *session) *cobra.Command {
	cmd := s.bind(&cobra.Command{
		Use: "token", Short: "Show the admin token, or replace it.",
		Example: `  sudo noi-agent token show
  sudo noi-agent token rotate    # ends all sessions`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused(errors.New("want show or rotate"), "noi-agent token show")
			}
			return noSuchCommand(cmd, args)
		},
	}, &tokenShowCommand{})
	cmd.AddCommand(s.bind(&cobra.Command{
		Use: "show", Short: "Print the admin token.",
		Example: `  sudo noi-agent token show
  curl -H "Authorization: Bearer $(sudo noi-agent token show)" http://127.0.0.1:8780/api/v1/session`,
	}, &tokenShowCommand{}), s.bind(&cobra.Command{
		Use: "rotate", Short: "Replace the admin token and end all sessions.",
		Example: "  sudo noi-agent token rotate\n  noi-agent token rotate --json",
	}, &tokenRotateCommand{}))
	return cmd
}

type tokenShowCommand struct{}

// Run prints the token from its file. The daemon never sends it.
func (*tokenShowCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	dir := cli.lenient().StateDir
	if dir == "" {
		_, _, err := cli.load()
		return err
	}
	path := filepath.Join(dir, guard.TokenFile)
	token, err := guard.ReadToken(dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return failed(errorf("no permission to read %s", path), "sudo noi-agent token show")
	case errors.Is(err, fs.ErrNotExist):
		return failed(errorf("there is no %s: the agent makes it at its first start", path),
			"sudo systemctl start noi-agent")
	case err != nil:
		return err
	case cli.JSON:
		return printJSON(p.Stdout, map[string]string{"token": token})
	}
	_, err = fmt.Fprintln(p.Stdout, token)
	return err
}

type tokenRotateCommand struct{}

// Run makes the daemon replace the token.
func (*tokenRotateCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	socket, err := cli.socket()
	if err != nil {
		return err
	}
	body, err := daemonSocket{socket, askLimit}.post(ctx, "/api/v1/token/rotate", struct{}{})
	if err != nil {
		return err
	}
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	var r api.TokenRotated
	if err := plainJSON(body, &r); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.Stdout, cli.advised(fmt.Sprintf(
		"The admin token is new. Sessions ended: %d. Show it:  sudo noi-agent token show", r.SessionsEnded)))
	return err
}
