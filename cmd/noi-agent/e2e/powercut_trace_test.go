package e2e

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// traced are the system calls that change a file, its name or what is synced. write is also among them because of the
// daemon's log, which reports committed samples.
const traced = "openat,close,write,pwrite64,pwritev,ftruncate,fdatasync,fsync,link,linkat,rename,renameat,renameat2,unlink,unlinkat"

type deed uint8

// The kinds of steps: changes of the medium, and the daemon's log line about a commit.
const (
	wrote deed = iota
	resized
	synced
	named
	renamed
	unnamed
	syncedNames
	acknowledged
)

// step is one step. Steps are in the order in which their system calls ended.
type step struct {
	Deed     deed
	File     int     // number of the file, in the order of creation
	Offset   int64   // wrote
	Data     []byte  // wrote
	Size     int64   // resized
	Name, To string  // named, renamed, unnamed: within the state directory
	Covers   int     // synced, syncedNames: the number of steps that had ended at its begin
	Upto     int     // acknowledged: the last sample that the log calls committed
	At       float64 // unix seconds
}

// tracer converts strace's lines to steps. The daemon has one process, so all threads share their descriptors.
type tracer struct {
	dir   string // the state directory
	steps []step
	files int
	names map[string]int  // name → file
	open  map[int]int     // descriptor → file
	dirs  map[int]bool    // descriptors of the state directory
	begun map[string]call // by thread: the call that has not ended yet
}

type call struct {
	text  string
	steps int // that had ended at its begin
	at    float64
}

const straceUnfinished = " <unfinished ...>"

// parseTrace reads the output of strace -f -ttt -xx for a daemon with its store in dir.
func parseTrace(r io.Reader, dir string) ([]step, error) {
	tr := newTracer(dir)
	err := tr.read(r)
	return tr.steps, err
}

func newTracer(dir string) *tracer {
	return &tracer{dir: dir, names: map[string]int{}, open: map[int]int{}, dirs: map[int]bool{}, begun: map[string]call{}}
}

func (tr *tracer) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20) // four characters for a byte, and a commit may write a megabyte at once
	for lines.Scan() {
		if err := tr.line(lines.Text()); err != nil {
			return fmt.Errorf("%.200s: %w", lines.Text(), err)
		}
	}
	return lines.Err()
}

// line parses a line such as "1234 1656404429.502000 close(5) = 0". The thread's number may be padded.
func (tr *tracer) line(text string) error {
	thread, text, _ := strings.Cut(text, " ")
	stamp, text, _ := strings.Cut(strings.TrimLeft(text, " "), " ")
	at, err := strconv.ParseFloat(stamp, 64)
	if err != nil {
		return err
	}
	c := call{text: text, steps: len(tr.steps), at: at}
	if begin, cut := strings.CutSuffix(text, straceUnfinished); cut {
		c.text = begin
		tr.begun[thread] = c
		return nil
	}
	if rest, resumed := strings.CutPrefix(text, "<... "); resumed {
		_, rest, _ = strings.Cut(rest, " resumed>")
		c = tr.begun[thread]
		c.text += rest
	}
	return tr.call(c)
}

// call adds a system call that has ended. A failed call changes nothing. Signals and ends of threads are not calls.
func (tr *tracer) call(c call) error {
	end := strings.LastIndex(c.text, " = ") // there may be spaces before it
	what, inner, ok := strings.Cut(c.text[:max(end, 0)], "(")
	if !ok {
		return nil
	}
	word, _, _ := strings.Cut(c.text[end+3:], " ")
	result := number(word)
	if result < 0 {
		return nil // the call failed, or the daemon ended during it
	}
	inner = strings.TrimSuffix(strings.TrimRight(inner, " "), ")")
	args := strings.Split(inner, ", ") // text is in hex, so it has no commas
	switch what {
	case "openat":
		return tr.opened(args, result, c)
	case "close":
		delete(tr.open, number(args[0]))
		delete(tr.dirs, number(args[0]))
		return nil
	case "write", "pwrite64":
		return tr.wrote(args, result, c)
	case "pwritev":
		return fmt.Errorf("the replay does not know how to do this")
	case "ftruncate":
		tr.onFile(args[0], step{Deed: resized, Size: int64(number(args[1]))}, c)
	case "fdatasync", "fsync":
		if tr.dirs[number(args[0])] {
			tr.add(step{Deed: syncedNames, Covers: c.steps}, c)
		}
		tr.onFile(args[0], step{Deed: synced, Covers: c.steps}, c)
	default:
		return tr.renamed(what, args, c)
	}
	return nil
}

func (tr *tracer) add(s step, c call) {
	s.At = c.at
	tr.steps = append(tr.steps, s)
}

// onFile adds a step on the file behind a descriptor, if it is one of the store's.
func (tr *tracer) onFile(fd string, s step, c call) {
	if file, ours := tr.open[number(fd)]; ours {
		s.File = file
		tr.add(s, c)
	}
}

func (tr *tracer) opened(args []string, fd int, c call) error {
	path, err := unhex(args[1])
	if err != nil {
		return err
	}
	if path == tr.dir {
		tr.dirs[fd] = true
		return nil
	}
	name := filepath.Base(path)
	if filepath.Dir(path) != tr.dir || !strings.HasPrefix(name, "noi.db") {
		return nil
	}
	file, known := tr.names[name]
	if !known {
		file = tr.files
		tr.files++
		tr.names[name] = file
		tr.add(step{Deed: named, File: file, Name: name}, c)
	}
	tr.open[fd] = file
	if slices.Contains(strings.Split(args[2], "|"), "O_TRUNC") {
		tr.add(step{Deed: resized, File: file}, c)
	}
	return nil
}

var logMark = regexp.MustCompile(`msg=committed .*run=1 to=(\d+)`)

func (tr *tracer) wrote(args []string, n int, c call) error {
	fd := number(args[0])
	file, ours := tr.open[fd]
	if !ours && fd != 2 {
		return nil
	}
	text, err := unhex(args[1])
	if err != nil || len(text) < n {
		return fmt.Errorf("%d bytes written, %d traced: %v", n, len(text), err)
	}
	switch {
	case !ours:
		if mark := logMark.FindStringSubmatch(text); mark != nil {
			tr.add(step{Deed: acknowledged, Upto: number(mark[1])}, c)
		}
	case len(args) == 4: // pwrite64
		tr.add(step{Deed: wrote, File: file, Data: []byte(text[:n]), Offset: int64(number(args[3]))}, c)
	default: // appends to the other files
		tr.add(step{Deed: wrote, File: file, Data: []byte(text[:n]), Offset: -1}, c)
	}
	return nil
}

func (tr *tracer) renamed(what string, args []string, c call) error {
	var names []string
	for _, arg := range args {
		if strings.HasPrefix(arg, `"`) {
			path, err := unhex(arg)
			if err != nil {
				return err
			}
			if filepath.Dir(path) != tr.dir {
				return nil
			}
			names = append(names, filepath.Base(path))
		}
	}
	file, known := tr.names[names[0]]
	if !known {
		return nil // the socket
	}
	switch {
	case strings.HasPrefix(what, "link"):
		tr.names[names[1]] = file
		tr.add(step{Deed: named, File: file, Name: names[1]}, c)
	case strings.HasPrefix(what, "rename"):
		tr.names[names[1]] = file
		delete(tr.names, names[0])
		tr.add(step{Deed: renamed, File: file, Name: names[0], To: names[1]}, c)
	default:
		delete(tr.names, names[0])
		tr.add(step{Deed: unnamed, Name: names[0]}, c)
	}
	return nil
}

// unhex decodes strace's "\x2f\x74".
func unhex(arg string) (string, error) {
	inner, ok := strings.CutPrefix(arg, `"`)
	inner, end := strings.CutSuffix(inner, `"`)
	if !ok || !end {
		return "", fmt.Errorf("%.40s is not a whole string", arg)
	}
	text, err := hex.DecodeString(strings.ReplaceAll(inner, `\x`, ""))
	return string(text), err
}

// number parses a decimal number; -1 if the text is not a number.
func number(arg string) int {
	n, err := strconv.Atoi(arg)
	if err != nil {
		return -1
	}
	return n
}
