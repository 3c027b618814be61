package configs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"noi-agent/internal/strictyaml"
)

// Registers are ranges of register addresses (PDU, from 0), written 0x0010 or 0x0002-0x0003, as a list or comma
// separated.
type Registers []RegisterRange

// RegisterRange is the registers from First to Last, both included.
type RegisterRange struct{ First, Last uint16 }

// UnmarshalNode implements strictyaml.Unmarshaler.
func (r *Registers) UnmarshalNode(node strictyaml.Node) error {
	*r = nil
	words, err := wordsOf(node)
	if err != nil {
		return err
	}
	for _, w := range words {
		one, err := parseRange(w.text)
		if err != nil {
			return err
		}
		*r = append(*r, one)
	}
	return nil
}

func parseRange(text string) (RegisterRange, error) {
	from, to, isRange := strings.Cut(text, "-")
	first, err := parseAddress(strings.TrimSpace(from))
	if err != nil || !isRange {
		return RegisterRange{first, first}, err
	}
	last, err := parseAddress(strings.TrimSpace(to))
	if err == nil && last < first {
		err = errors.New(clip(text) + " ends before it begins")
	}
	return RegisterRange{first, last}, err
}

// parseAddress accepts only 0x and four hex digits, so that 10 is never taken for 0x10.
func parseAddress(text string) (uint16, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	n, err := strconv.ParseUint(digits, 16, 16)
	if !ok || err != nil || len(digits) != 4 {
		return 0, fmt.Errorf("want registers like 0x0010 or 0x0002-0x0003, with four hex digits, not %q", clip(text))
	}
	return uint16(n), nil
}
