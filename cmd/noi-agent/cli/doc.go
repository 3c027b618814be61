// Package cli is the command line of noi-agent: the daemon (`noi-agent run`), and the commands that read a
// configuration, a line or a running daemon. One file has one command; the large commands have more files that begin
// with the name of the command. Results go to stdout, everything else to stderr.
//
// Exit codes: 0 success, 1 failure, 2 wrong usage, 130 stopped by Ctrl-C or SIGTERM. An error has a hint with the
// command that helps.
//
// In reading order:
//
//   - program.go, commands.go, flags.go, help.go, faults.go, advice.go: the command as a value, its
//     tree, flags, help, errors and hints
//   - run.go, logging.go, storecheck.go: the daemon, its log, and the child process that checks the store
//   - daemon.go, ask.go, absent.go, source.go, watch.go, plain.go: how a command gets an answer from the daemon
//   - place.go, reader.go, registers.go: how a command reads a slave, by the daemon or at the port
//   - table.go, terminal.go, words.go, progress.go, counter.go, confirm.go: output on a terminal and behind a pipe
//   - init*.go, check*.go, plan.go, scan*.go, read*.go, object*.go, version.go, completion.go: commands that need no
//     daemon
//   - setup*.go, publishtest.go, cloudcost.go, sinkfiles.go: commands about a cloud
//   - status*.go, trigger*.go, gaps.go, integrations*.go, deadletters.go, replay.go, export.go, reload.go, login.go,
//     logs.go, bundle.go, doctor.go: commands that need the daemon, or use it
package cli
