package sns_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sinktest/standin"
	"noi-agent/sinks/sns"
)

// withProcess makes command the credential_process of the default profile, or of the profile with which a role is
// assumed.
func withProcess(t *testing.T, role, command string) (home string) {
	t.Helper()
	cleanEnv(t)
	home = os.Getenv("HOME")
	mustWrite(t, home+"/helper", "#!/bin/sh\n"+strings.ReplaceAll(command, "HOME", home)+"\n", 0o700)
	text := "[default]\ncredential_process = " + home + "/helper\n"
	if role != "" {
		text = "[default]\nrole_arn = " + role + "\nsource_profile = source\n[profile source]\ncredential_process = " + home + "/helper\n"
	}
	mustWrite(t, home+"/config", text, 0o600)
	return home
}

// alive reports whether a process exists and is no zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// A helper that hangs ends with the sink, together with the processes that it has started.
func TestHangingCredentialProcessIsKilledWithItsGroup(t *testing.T) {
	for _, role := range []string{"", roleARN} {
		home := withProcess(t, role, "sleep 1000 & echo $$ $! >HOME/pids.tmp; mv HOME/pids.tmp HOME/pids; wait")
		sink := mustNew(t, sns.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan sinks.Result)
		go func() { done <- sink.Publish(ctx, sinktest.Messages(1))[0] }()
		pids := waitFor(t, home+"/pids")
		cancel()
		if r := <-done; r.Outcome != sinks.Retry {
			t.Errorf("%s (%s)", r.Outcome, r.Error())
		}
		for _, pid := range pids {
			if !alive(pid) {
				t.Errorf("process %d has ended too early: the test proves nothing", pid)
			}
		}
		_ = sink.Close() // never fails
		for _, pid := range pids {
			eventuallyGone(t, pid)
		}
	}
}

// The output of a helper that prints without end is not kept, and its processes do not stay.
func TestEndlessCredentialProcessIsStopped(t *testing.T) {
	withProcess(t, "", "trap '' PIPE; while :; do head -c 1000000 /dev/zero; done")
	sink := mustNew(t, sns.Options{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := sink.Publish(t.Context(), sinktest.Messages(1))[0]
	runtime.ReadMemStats(&after)
	if r.Outcome != sinks.Wait || !strings.Contains(r.Text, "credential_process of profile default is not one: it printed more than 64 KiB") {
		t.Errorf("%s (%s)", r.Outcome, r.Error())
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestWhatACredentialProcessLeavesBehindIsKilled(t *testing.T) {
	home := withProcess(t, "", `sleep 1000 >/dev/null 2>&1 & echo $! >HOME/pids
echo '{"Version":1,"AccessKeyId":"`+standin.AccessKeyID+`","SecretAccessKey":"`+standin.SecretAccessKey+`"}'`)
	cloud := mustStart(t, standin.SNSOptions{})
	sink := mustNew(t, sns.Options{Endpoint: cloud.URL()})
	if r := sink.Publish(t.Context(), sinktest.Messages(1))[0]; r.Outcome != sinks.Accepted {
		t.Errorf("%s (%s)", r.Outcome, r.Error())
	}
	for _, pid := range waitFor(t, home+"/pids") {
		eventuallyGone(t, pid)
	}
}

// waitFor returns the process ids in a file, when the file exists.
func waitFor(t *testing.T, path string) (pids []int) {
	t.Helper()
	until(t, path+" is there", func() bool {
		text, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		for word := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return len(pids) > 0
	})
	return pids
}

func eventuallyGone(t *testing.T, pid int) {
	t.Helper()
	until(t, fmt.Sprintf("process %d is gone", pid), func() bool { return !alive(pid) })
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(time.Minute); !holds(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
