package objects

import (
	"fmt"
	"strconv"
	"strings"
)

// Address is a PDU address, written with four hex digits.
type Address uint16

// UnmarshalText accepts only "0x0012", so that each register has one spelling. For a decimal number, the error lists
// the addresses that documents may mean by it.
func (a *Address) UnmarshalText(text []byte) error {
	n, err := parseHex(string(text))
	if err != nil {
		if meant := readings(string(text)); meant != "" {
			err = fmt.Errorf("an address has four hex digits; %s", meant)
		}
	}
	*a = Address(n)
	return err
}

func parseHex(text string) (uint16, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	n, err := strconv.ParseUint(digits, 16, 16)
	if !ok || err != nil || len(digits) != 4 {
		return 0, fmt.Errorf("want four hex digits as in 0x0012, not %q", text)
	}
	return uint16(n), nil
}

// readings returns the addresses that a decimal number in a document's register list may mean: "40084 is holding
// register 84, which is 0x0053, or the address 0x9C94". It returns "" if the text is no such number.
func readings(text string) string {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return ""
	}
	var meant []string
	if word, number := numbered(text, n); number >= 1 && number <= 1<<16 {
		meant = append(meant, fmt.Sprintf("%s %d, which is 0x%04X", word, number, number-1))
	}
	if n < 1<<16 {
		meant = append(meant, fmt.Sprintf("the address 0x%04X", n))
	}
	if len(meant) == 0 {
		return ""
	}
	return text + " is " + strings.Join(meant, ", or ")
}

// numbered reads a register number. If it has five or six digits, the first digit is the table, and the others count
// from 1. Any other number counts from 1.
func numbered(text string, n uint64) (word string, number uint64) {
	words := map[byte]string{'0': "coil", '1': "discrete input", '3': "input register", '4': "holding register"}
	if word = words[text[0]]; word == "" || len(text) < 5 || len(text) > 6 {
		return "register", n
	}
	number, _ = strconv.ParseUint(text[1:], 10, 32) // text is digits
	return word, number
}
