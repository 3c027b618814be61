package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

type versionCommand struct{}

func newVersion(s *session) *cobra.Command {
	return s.bind(&cobra.Command{
		Use: "version", Short: "Print the version.",
		Example: "  noi-agent version\n  noi-agent version --json",
	}, &versionCommand{})
}

// versionResult is the JSON of `noi-agent version --json`.
type versionResult struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // first 7 digits of the commit, from Go's build information
	Built   string `json:"built,omitempty"`  // day of the commit
	Go      string `json:"go"`
	System  string `json:"system"` // linux/arm64
}

// Run prints the version.
func (*versionCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	r := versionResult{Version: p.Version, Commit: commit(), Go: runtime.Version(),
		System: runtime.GOOS + "/" + runtime.GOARCH}
	if !p.Time.Built.IsZero() {
		r.Built = p.Time.Built.UTC().Format("2006-01-02")
	}
	if cli.JSON {
		return printJSON(p.Stdout, r)
	}
	var parts []string
	for _, part := range []string{r.Commit, r.Built, r.Go, r.System} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	_, err := fmt.Fprintf(p.Stdout, "noi-agent %s (%s)\n", r.Version, strings.Join(parts, ", "))
	return err
}

// commit returns the first digits of the commit's hash; "" if the program has no build information about it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 7 {
			return s.Value[:7]
		}
	}
	return ""
}
