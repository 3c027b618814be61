package cli

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"noi-agent/configs"
)

// mostSinkFile is the most bytes of a file that are compared. Credentials and certificates have some kB.
const mostSinkFile = 1 << 20

// sinkFiles returns the files that a client reads once, at its creation: credentials and certificates. Files that a
// client reads again and again, such as tokens, are not among them.
func sinkFiles(in *configs.Integration) []string {
	home, _ := os.UserHomeDir() // without a home directory, the files in it do not exist
	if in.Type == configs.GCP {
		return []string{
			in.CAFile, in.CredentialsFile, os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"),
			filepath.Join(home, ".config", "gcloud", "application_default_credentials.json"),
		}
	}
	return []string{
		in.CAFile, in.IoT.Certificate, in.IoT.Key,
		cmp.Or(os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), filepath.Join(home, ".aws", "credentials")),
		cmp.Or(os.Getenv("AWS_CONFIG_FILE"), filepath.Join(home, ".aws", "config")),
	}
}

// fingerprint returns a text that changes if one of the files of an integration changes, appears, disappears, or
// becomes unreadable.
func fingerprint(in *configs.Integration) string {
	sum := sha256.New()
	for _, path := range sinkFiles(in) {
		f, err := os.Open(path)
		if err != nil {
			fmt.Fprintf(sum, "%s: none\n", path)
			continue
		}
		content := sha256.New()
		_, err = io.Copy(content, io.LimitReader(f, mostSinkFile))
		_ = f.Close() // it was only read
		fmt.Fprintf(sum, "%s: %x %v\n", path, content.Sum(nil), err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}
