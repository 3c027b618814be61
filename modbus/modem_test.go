package modbus

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// lines are modem lines that record their changes.
type lines struct {
	moved []string
	err   error
}

func (l *lines) SetDTR(set bool) error { return l.move("dtr", set) }
func (l *lines) SetRTS(set bool) error { return l.move("rts", set) }

func (l *lines) move(line string, set bool) error {
	l.moved = append(l.moved, line+map[bool]string{true: " on", false: " off"}[set])
	return l.err
}

func TestLevelsAreThoseAskedForAndNoOthers(t *testing.T) {
	for _, c := range []struct {
		s    Settings
		want []string
	}{
		{Settings{}, nil},
		{Settings{DTR: "on"}, []string{"dtr on"}},
		{Settings{RTS: "off"}, []string{"rts off"}},
		{Settings{DTR: "off", RTS: "on"}, []string{"dtr off", "rts on"}},
		{Settings{DTR: "on", RS485: RS485{Mode: "kernel"}}, []string{"dtr on"}}, // the driver controls RTS
		{Settings{RS485: RS485{Mode: "rts"}}, []string{"rts off"}},              // off: the adapter receives
		{Settings{RS485: RS485{Mode: "rts", Polarity: "low"}}, []string{"rts on"}},
	} {
		l := &lines{}
		if err := setLevels(l, c.s.withDefaults()); err != nil || !slices.Equal(l.moved, c.want) {
			t.Errorf("%+v: %v, %v; want %v", c.s, l.moved, err, c.want)
		}
	}
	err := setLevels(&lines{err: unix.EINVAL}, Settings{RTS: "on"})
	if !errors.Is(err, errNoModemLines) || !errors.Is(err, unix.EINVAL) {
		t.Errorf("a port without lines: %v", err)
	}
}

func TestLevelThatIsNotAskedForStays(t *testing.T) {
	for _, c := range []struct {
		word     string
		is, want bool
	}{{"", true, true}, {"", false, false}, {"on", false, true}, {"off", true, false}} {
		if got := level(c.word, c.is); got != c.want {
			t.Errorf("%q where it is %v: %v", c.word, c.is, got)
		}
	}
}
