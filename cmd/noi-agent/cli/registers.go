package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"noi-agent/modbus"
	"noi-agent/objects"
)

// mostRegisters is the most registers of one read (MODBUS Application Protocol V1.1b3 §6.3).
const mostRegisters = 125

// isRegisters reports whether a word means registers and not an object: no object's name begins with a digit.
func isRegisters(word string) bool { return word != "" && word[0] >= '0' && word[0] <= '9' }

// parseRegisters reads 0x0012, 0x0012+4 or 0x0012-0x0015. The Modbus function is not part of the word.
func parseRegisters(word string) (modbus.Span, error) {
	first, rest := word, ""
	if at := strings.IndexAny(word, "+-"); at >= 0 {
		first, rest = word[:at], word[at:]
	}
	addr, err := parseAddress(first)
	if err != nil {
		return modbus.Span{}, err
	}
	count, err := parseCount(addr, rest)
	if err != nil {
		return modbus.Span{}, fmt.Errorf("%q: %w", word, err)
	}
	switch {
	case count < 1 || count > mostRegisters:
		return modbus.Span{}, fmt.Errorf("%q: one read brings 1 to %d registers, not %d", word, mostRegisters, count)
	case int(addr)+count > 1<<16:
		return modbus.Span{}, fmt.Errorf("%q: the last register is 0xFFFF", word)
	}
	return modbus.Span{Addr: addr, Count: uint16(count)}, nil
}

// parseCount reads the part after the first address.
func parseCount(addr uint16, rest string) (int, error) {
	switch {
	case rest == "":
		return 1, nil
	case rest[0] == '-':
		last, err := parseAddress(rest[1:])
		if err == nil && last < addr {
			err = errors.New("ends before it begins")
		}
		return int(last) - int(addr) + 1, err
	default:
		n, err := strconv.ParseUint(rest[1:], 10, 16)
		if err != nil {
			return 0, errors.New("want a decimal count of registers behind the +")
		}
		return int(n), nil
	}
}

// parseAddress reads an address of exactly four hex digits, such as 0x0012. So 10 is not mistaken for 0x10, and a
// register number of the vendor, which counts from 1, is not mistaken for an address.
func parseAddress(text string) (uint16, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	n, err := strconv.ParseUint(digits, 16, 16)
	if !ok || err != nil || len(digits) != 4 {
		return 0, fmt.Errorf("want registers like 0x0012, 0x0012+4 or 0x0012-0x0015, with four hex digits, not %q",
			text)
	}
	return uint16(n), nil
}

// registerRow is one register in several encodings; null or "" if it is not valid in an encoding.
type registerRow struct {
	Address string   `json:"address"`
	Hex     string   `json:"hex"`
	U16     uint16   `json:"u16"`
	S16     int16    `json:"s16"`
	F16     *float64 `json:"f16"`
	ASCII   string   `json:"ascii"` // high byte first
	Pair    *pairRow `json:"with_next,omitempty"`
}

// pairRow is a register and the next one as a 32-bit value. The encodings with "lo" have the low word first.
type pairRow struct {
	U32   uint32   `json:"u32"`
	U32LO uint32   `json:"u32lo"`
	S32   int32    `json:"s32"`
	S32LO int32    `json:"s32lo"`
	F32   *float64 `json:"f32"`
	F32LO *float64 `json:"f32lo"`
}

// bitRow is one bit of a bit table.
type bitRow struct {
	Address string `json:"address"`
	Value   bool   `json:"value"`
}

func bitRows(addr uint16, bits []uint16) []bitRow {
	rows := make([]bitRow, len(bits))
	for i, b := range bits {
		rows[i] = bitRow{Address: fmt.Sprintf("0x%04X", int(addr)+i), Value: b != 0}
	}
	return rows
}

// decodings returns a row for each register.
func decodings(addr uint16, registers []uint16) []registerRow {
	rows := make([]registerRow, len(registers))
	for i, r := range registers {
		rows[i] = registerRow{
			Address: fmt.Sprintf("0x%04X", int(addr)+i), Hex: fmt.Sprintf("0x%04X", r), U16: r, S16: int16(r),
			F16:   half(r),
			ASCII: printable([]byte{byte(r >> 8), byte(r)}),
		}
		if i+1 < len(registers) {
			rows[i].Pair = pair(r, registers[i+1])
		}
	}
	return rows
}

func pair(first, second uint16) *pairRow {
	high, low := uint32(first)<<16|uint32(second), uint32(second)<<16|uint32(first)
	return &pairRow{
		U32: high, U32LO: low, S32: int32(high), S32LO: int32(low),
		F32: finite(float64(math.Float32frombits(high))), F32LO: finite(float64(math.Float32frombits(low))),
	}
}

// half decodes a register as a half-precision float; nil if it is not a number.
func half(r uint16) *float64 {
	o := objects.Object{Encoding: objects.F16, Registers: 1, Scale: 1}
	v, err := o.Decode([]uint16{r})
	if err != nil {
		return nil
	}
	f := v.Float()
	return &f
}

func finite(f float64) *float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &f
}

// printable returns bytes as text; "" if one of them is not printable ASCII. Zeros at the end are removed.
func printable(b []byte) string {
	text := strings.TrimRight(string(b), "\x00")
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return text
}

// texts returns all registers as one text, with the high and with the low byte first.
func texts(registers []uint16) (high, low string) {
	highs, lows := make([]byte, 0, 2*len(registers)), make([]byte, 0, 2*len(registers))
	for _, r := range registers {
		highs, lows = append(highs, byte(r>>8), byte(r)), append(lows, byte(r), byte(r>>8))
	}
	return printable(highs), printable(lows)
}
