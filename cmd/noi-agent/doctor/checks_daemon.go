package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"noi-agent/configs"
	"noi-agent/internal/shell"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

// hasUnit reports whether the service is installed.
func (s *Site) hasUnit() bool {
	return slices.ContainsFunc([]string{"usr/lib", "lib", "etc"}, func(dir string) bool {
		return s.exists(dir, "systemd/system/noi-agent.service")
	})
}

func unit(_ context.Context, s *Site) []Finding {
	switch {
	case !s.exists("run/systemd/system"):
		return notLooked("unit", "systemd does not run here")
	case !s.hasUnit():
		return []Finding{{
			ID: "unit_missing", Level: Warning, Evidence: "there is no noi-agent.service",
			Why: "nothing starts the daemon after a power cut", Command: "sudo sh packaging/install.sh install",
		}}
	case !s.exists("etc/systemd/system/multi-user.target.wants/noi-agent.service"):
		return []Finding{{
			ID: "unit_disabled", Level: Warning, Evidence: "noi-agent.service is not enabled",
			Why: "nothing starts the daemon after a power cut", Command: "sudo systemctl enable --now noi-agent",
		}}
	}
	return nil
}

// daemonProcess returns the process of the daemon. Other commands of the same program do not count.
func (s *Site) daemonProcess() (process, bool) {
	all := s.processes()
	i := slices.IndexFunc(all, func(p process) bool {
		return p.name == "noi-agent" && slices.Contains(strings.Split(s.read("proc", p.pid, "cmdline"), "\x00"), "run")
	})
	if i < 0 {
		return process{}, false
	}
	return all[i], true
}

func daemon(_ context.Context, s *Site) []Finding {
	p, runs := s.daemonProcess()
	switch {
	case s.Status != nil && s.Status.Version != s.Version:
		return []Finding{{
			ID: "version_differs", Level: Warning,
			Evidence: fmt.Sprintf("the daemon is version %s, this program %s", s.Status.Version, s.Version),
			Why:      "the new version does not work yet", Command: "sudo systemctl restart noi-agent",
		}}
	case s.Status != nil:
		return certificate(s.Status)
	case runs:
		return []Finding{{
			ID: "daemon_no_answer", Level: Fault,
			Evidence: fmt.Sprintf("the daemon runs (process %s), but: %v", p.pid, s.StatusErr),
			Why:      "no person or program can see its state",
			Command:  "sudo noi-agent status || sudo systemctl restart noi-agent",
		}}
	}
	start := "sudo systemctl start noi-agent; systemctl status noi-agent; journalctl -u noi-agent -n 30"
	if s.exists("etc/init.d/noi-agent") { // Alpine and OpenWrt
		start = "/etc/init.d/noi-agent start"
	}
	return []Finding{{
		ID: "daemon_down", Level: Fault, Evidence: "the daemon does not run",
		Why: "nothing is read and nothing is sent", Command: start,
	}}
}

// certificate returns the fingerprint of the certificate that a browser shows; nil if the page has no TLS.
func certificate(s *api.Status) []Finding {
	if s.Endpoint == nil || s.Endpoint.Fingerprint == "" {
		return nil
	}
	return []Finding{{ID: "daemon", Level: OK, Evidence: "the daemon answers"}, {
		ID: "certificate", Level: OK,
		Evidence: s.Endpoint.Addresses[0] + " has the certificate " + s.Endpoint.Fingerprint,
	}}
}

// problems returns the problems of the daemon under their own codes. A notice has the level OK.
func problems(_ context.Context, s *Site) (found []Finding) {
	if s.Status == nil {
		return notLooked("problems", "the daemon does not answer")
	}
	levels := map[api.Severity]Level{api.Fault: Fault, api.Warning: Warning, api.Notice: OK}
	for _, p := range s.Status.Problems {
		evidence := p.Title
		if p.Detail != "" {
			evidence += ": " + p.Detail
		}
		why, command := "effect on the data: "+string(p.Effect)+". "+p.Remedy, "noi-agent status --verbose"
		switch p.Code {
		case api.LineSilent.Code, api.LineGarbled.Code, api.SlaveNoReply.Code, api.SlaveDamaged.Code:
			line, _, _ := strings.Cut(p.Subject, "/")
			why += " " + suspectOf(s.Status, p)
			command = "sudo noi-agent scan --line " + shell.Quote(line) // the daemon asks between its own reads
		}
		found = append(found, Finding{
			ID: p.Code, Level: levels[p.Severity], Subject: called(s.Status, p.Subject), Evidence: evidence,
			Why: strings.TrimSpace(why), Command: command,
		})
	}
	return found
}

// called replaces the id of an integration by its name. Other subjects are returned unchanged.
func called(status *api.Status, subject string) string {
	for i := range status.Integrations {
		if in := &status.Integrations[i]; in.ID == subject {
			return cmp.Or(in.Name, in.ID)
		}
	}
	return subject
}

// clouds tests all integrations at the same time, so that one that hangs does not delay the others.
func clouds(ctx context.Context, s *Site) []Finding {
	if s.Probe == nil {
		return notLooked("cloud", "the daemon reports about its clouds; noi-agent doctor --send sends a test message")
	}
	found := make([][]Finding, len(s.Config.Integrations))
	var all sync.WaitGroup
	for i := range s.Config.Integrations {
		if in := &s.Config.Integrations[i]; in.Enabled {
			all.Go(func() { found[i] = s.cloud(ctx, in) })
		}
	}
	all.Wait()
	return slices.Concat(found...)
}

// stepCodes returns the codes of the problems for failed steps of a test. Other steps have their own name as code.
func stepCodes() map[string]string {
	return map[string]string{
		"credentials": api.CloudNoCredentials.Code, "identity": api.CloudNoCredentials.Code,
		"endpoint": api.CloudUnreachable.Code, "topic": api.CloudNoTopic.Code, "permission": api.CloudNoPermission.Code,
	}
}

func (s *Site) cloud(ctx context.Context, in *configs.Integration) (found []Finding) {
	name := cmp.Or(in.Name, in.ID)
	for _, step := range s.Probe(ctx, in) {
		f := Finding{
			ID: cmp.Or(stepCodes()[step.Name], "cloud_"+step.Name), Subject: name, Evidence: step.Text,
			Why:     "samples of this integration wait. " + strings.TrimSpace(step.Remedy),
			Command: "sudo -u noi-agent -H noi-agent publish-test " + shell.Quote(name),
		}
		switch {
		case step.Verdict == sinks.StepFailed:
			f.Level = Fault
			found = append(found, f)
		case step.Verdict == sinks.StepUnknown && step.Remedy != "": // perhaps only for this user
			f.Level, f.Why = Warning, strings.TrimSpace(step.Remedy)
			found = append(found, f)
		case step.Name == "message" && step.Verdict == sinks.StepOK:
			found = append(found, Finding{ID: "cloud_message", Level: OK, Subject: name, Evidence: step.Text})
		}
	}
	return found
}
