package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// recordDir names the directory in which the stories record the output of commands with --json, for
// status/api/openapitest. Without it nothing is recorded.
const recordDir = "NOI_RECORD"

// printed is the JSON output of one command.
type printed struct {
	Args   []string `json:"args"`
	Stdout string   `json:"stdout"`
	Stderr string   `json:"stderr"`
}

// recorded makes a program keep its output, so that keep can write it into recordDir.
func recorded(p *Program, args []string) (keep func()) {
	dir := os.Getenv(recordDir)
	if dir == "" || !slices.Contains(args, "--json") {
		return func() {}
	}
	var out, errs bytes.Buffer
	p.Stdout, p.Stderr = io.MultiWriter(p.Stdout, &out), io.MultiWriter(p.Stderr, &errs)
	return func() {
		text, err := json.Marshal(printed{args, out.String(), errs.String()})
		if err == nil {
			name := fmt.Sprintf("%x.printed.json", sha256.Sum256(text))
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			panic(err)
		}
	}
}
