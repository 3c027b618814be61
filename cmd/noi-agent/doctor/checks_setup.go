package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"noi-agent/internal/shell"
)

func configuration(_ context.Context, s *Site) (found []Finding) {
	check := "noi-agent check --config " + shell.Quote(s.ConfigPath)
	if errors.Is(s.ConfigErr, fs.ErrNotExist) {
		return []Finding{{
			ID: "config", Level: Fault, Evidence: "there is no configuration at " + s.ConfigPath,
			Why:     "without a configuration the service does not start",
			Command: "sudo noi-agent init --config " + shell.Quote(s.ConfigPath),
		}}
	}
	if s.ConfigErr != nil {
		return []Finding{{
			ID: "config", Level: Fault, Evidence: firstLine(s.ConfigErr.Error()),
			Why: "the daemon does not start with this file, and a reload refuses it", Command: check,
		}}
	}
	for _, notice := range s.Notices {
		found = append(found, Finding{
			ID: "config_notice", Level: Warning, Evidence: notice,
			Why: "the file is valid, but it does not seem to fit this machine", Command: check,
		})
	}
	return found
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func configRights(_ context.Context, s *Site) []Finding {
	info, err := os.Stat(s.named(s.ConfigPath))
	switch {
	case err != nil || s.User.Name == "":
		return notLooked("config_rights", "there is no file, or no user")
	case s.may(info, 0o4):
		return nil
	}
	return []Finding{{
		ID: "config_rights", Level: Fault,
		Evidence: fmt.Sprintf("%s may not read %s (%v)", s.User.Name, s.ConfigPath, info.Mode()),
		Why:      "the daemon cannot start",
		Command:  fmt.Sprintf("sudo chgrp %s %[2]s && sudo chmod g+r %[2]s", s.User.Name, shell.Quote(s.ConfigPath)),
	}}
}

// may reports whether the mode of a file gives the daemon's user all the permissions: 4 read, 2 write, 1 search.
func (s *Site) may(info fs.FileInfo, rights fs.FileMode) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true // another operating system
	}
	bits := info.Mode().Perm()
	switch {
	case owner.Uid == s.User.UID:
		bits >>= 6
	case slices.Contains(s.User.Groups, owner.Gid):
		bits >>= 3
	}
	return bits&rights == rights
}

func daemonUser(_ context.Context, s *Site) []Finding {
	switch {
	case s.User.Name != "":
		return nil
	case !s.hasUnit():
		return notLooked("user", "the service is not installed")
	}
	return []Finding{{
		ID: "user", Level: Fault, Evidence: "there is no user noi-agent",
		Why: "the service runs as this user", Command: "sudo systemd-sysusers noi-agent.conf",
	}}
}
