package cli

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"noi-agent/configs"
	"noi-agent/status/bundle"
)

// supportFiles returns the files of the configuration for a support bundle.
func supportFiles(path string, config *configs.Config) []bundle.File {
	return []bundle.File{{Name: "config.yaml", Path: path},
		{Name: configs.IntegrationsFile, Path: filepath.Join(config.StateDir, configs.IntegrationsFile)}}
}

type bundleCommand struct{ file string }

func newBundle(s *session) *cobra.Command {
	c := &bundleCommand{}
	return s.bind(&cobra.Command{
		Use: "bundle [FILE]", Short: "Make a zip file for support, without secrets.",
		Example: `  noi-agent bundle                   # noi-bundle-DEVICE-DATE.zip in this directory
  noi-agent bundle - > bundle.zip    # for example over ssh`,
		Long: "The file has the configuration without comments and secrets, the state, the latest values, the last " +
			"1,000 lines of the log, line statistics, metrics, and the findings of doctor. " + bundle.Removed +
			" in the file lists the removed text. Look into the file before you send it: only you know what else is " +
			"secret.",
		Args: oneArg(&c.file), ValidArgsFunction: completeFirst(completeFiles),
	}, c)
}

// Run fetches the daemon's bundle, and adds the report of doctor.
func (c *bundleCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	socket, err := cli.socket()
	if err != nil {
		return err
	}
	response, err := daemonSocket{path: socket}.open(ctx, "GET", "/api/v1/bundle", nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was only read
	whole, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("read the daemon's bundle: %w", err)
	}
	from, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		return fmt.Errorf("read the daemon's bundle: %w", err)
	}
	_, parameters, _ := mime.ParseMediaType(response.Header.Get("Content-Disposition")) // an error: the default name
	name := cmp.Or(c.file, filepath.Base(cmp.Or(parameters["filename"], "noi-bundle.zip")))
	size, err := c.write(ctx, p, cli, from, name)
	if err != nil {
		return err
	}
	if name == "-" {
		return nil
	}
	if cli.JSON {
		return printJSON(p.Stdout, map[string]any{"file": name, "bytes": size, "contents": namesIn(from)})
	}
	_, err = fmt.Fprintf(p.Stdout, "%s (%d KB): %s\n", name, (size+1023)/1024, contentsOf(from))
	return err
}

// write copies the daemon's files, adds the one of this command, and returns the size of the bundle. An existing file
// is replaced when the new one is complete.
func (c *bundleCommand) write(ctx context.Context, p *Program, cli *commandLine, from *zip.Reader, name string) (int64,
	error) {
	var body bytes.Buffer
	out := zip.NewWriter(&body)
	var errs []error
	for _, f := range from.File {
		errs = append(errs, out.Copy(f))
	}
	entry, err := out.Create("doctor.txt")
	errs = append(errs, err)
	if err == nil {
		text, _ := bundle.Scrub(doctorText(ctx, p, cli))
		_, err = io.WriteString(entry, text)
		errs = append(errs, err)
	}
	if err := errors.Join(append(errs, out.Close())...); err != nil {
		return 0, fmt.Errorf("make the bundle: %w", err)
	}
	if name == "-" {
		_, err := p.Stdout.Write(body.Bytes())
		return int64(body.Len()), err
	}
	// Only the owner can read the file, because it may have other secrets.
	if err := os.WriteFile(name+".part", body.Bytes(), 0o600); err != nil {
		return 0, fmt.Errorf("write the bundle: %w", err)
	}
	if err := os.Rename(name+".part", name); err != nil {
		return 0, fmt.Errorf("write the bundle: %w", err)
	}
	return int64(body.Len()), nil
}

// doctorText returns the output of doctor.
func doctorText(ctx context.Context, p *Program, cli *commandLine) string {
	var text bytes.Buffer
	with, plain := *p, *cli
	with.Stdout, plain.JSON = &text, false
	if err := (&doctorCommand{}).Run(ctx, &with, &plain); err != nil && !errors.Is(err, errSilent) {
		fmt.Fprintln(&text, err)
	}
	return text.String()
}

// namesIn lists the names of the files in the bundle.
func namesIn(z *zip.Reader) []string {
	names := []string{"doctor.txt"}
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	return names
}

// contentsOf returns the contents of a bundle in words.
func contentsOf(z *zip.Reader) string {
	secrets, lines := 0, 0
	for line := range strings.Lines(textIn(z, bundle.Removed)) {
		comment := strings.HasSuffix(line, " comments\n") || strings.HasSuffix(line, ": 1 comment\n")
		if !comment && line != "nothing\n" {
			secrets++
		}
	}
	lines = strings.Count(textIn(z, "log.txt"), "\n")
	return fmt.Sprintf("config (%s removed), status, values, log %s, line statistics, metrics, doctor",
		counted(secrets, "secret"), counted(lines, "line"))
}

// textIn returns the text of a file in the bundle; "" if there is none.
func textIn(z *zip.Reader, name string) string {
	f, err := z.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }() // it was only read
	text, _ := io.ReadAll(f)         // after an error, the first part of the text is used
	return string(text)
}
