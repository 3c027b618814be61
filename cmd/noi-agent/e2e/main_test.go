package e2e

import (
	"flag"
	"os"
	"testing"

	"noi-agent/sinks/sinktest/standin"
)

// atOnce is how many tests run side by side. They mostly wait: for the next moment of a sample, for a timeout, for the end of a process.
const atOnce = "3"

func TestMain(m *testing.M) {
	if dir := os.Getenv(cutsEnv); dir != "" {
		os.Exit(replayCuts(dir))
	}
	if path := os.Getenv(ledgerEnv); path != "" {
		os.Exit(ledgerDaemon(path))
	}
	if spec := os.Getenv(wireEnv); spec != "" {
		os.Exit(wireLoop(spec))
	}
	os.Exit(inSurroundings(m.Run))
}

// inSurroundings runs tests with the environment that the daemons of all tests get: an empty home, and the keys that the stand-in of SNS
// knows. A test that needs another environment sets it, and then runs alone.
func inSurroundings(run func() int) int {
	home, err := os.MkdirTemp("", "noi-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(home)
	binaries.dir, binaries.home = home, os.Getenv("HOME")
	for name, value := range map[string]string{
		"HOME": home, "AWS_PROFILE": "", "PUBSUB_EMULATOR_HOST": "",
		"AWS_ACCESS_KEY_ID": standin.AccessKeyID, "AWS_SECRET_ACCESS_KEY": standin.SecretAccessKey,
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	return run()
}

// withoutEnv removes variables from the environment until the end of the test.
func withoutEnv(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		t.Setenv(name, "") // restores it in the end
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
}
