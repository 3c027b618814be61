package wording

import (
	"cmp"
	"fmt"
	"strings"

	"noi-agent/objects"
)

// NewestGaps is the most gaps of one integration that page and command line show. The status has up to twenty, and the
// trigger log more.
const NewestGaps = 5

// Decimal prints a number of bytes with decimal units, as mobile tariffs do: "812 B", "64.0 kB", "3.5 MB" or "1.2 GB".
func Decimal(n float64) string {
	switch {
	case n < 1e3:
		return fmt.Sprintf("%.0f B", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", n/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", n/1e6)
	default:
		return fmt.Sprintf("%.1f GB", n/1e9)
	}
}

// Duration shortens a text of time.Duration to the form in a configuration: "720h" for "720h0m0s".
func Duration(d string) string {
	for _, unit := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(d, unit) {
			d = d[:len(d)-len("0s")]
		}
	}
	return d
}

// Start returns in words how the store was opened. start is `store.start` of the status. An unknown word gives "".
func Start(start string) string {
	return map[string]string{
		"created": "newly created",
		"clean":   "closed properly before",
		"checked": "unclean stop before; the file was checked and is sound",
		"renewed": "the old file could not be used and was moved aside",
		"memory":  "the disk fails; samples are lost when power is",
	}[start]
}

// LineFault returns in words why an exchange failed. kind is the kind of an api.LineFault. An unknown kind is returned
// unchanged.
func LineFault(kind string) string {
	return cmp.Or(map[string]string{
		"timeout":      "no answer",
		"late":         "answer too late",
		"checksum":     "damaged reply",
		"garbled":      "no whole frame",
		"collision":    "collision",
		"other_master": "another master asks",
		"foreign":      "another frame came",
		"foreign_unit": "another unit answers",
		"foreign_id":   "another transaction id",
		"wrong_length": "another length",
		"ambiguous":    "perhaps for another program",
		"exception":    "refused",
		"port":         "the port failed",
	}[kind], kind)
}

// Gap returns the reason of a gap in words, followed by its code, which docs/durability.md explains. An unknown reason
// is returned unchanged.
func Gap(reason string) string {
	word, _, _ := strings.Cut(reason, ":")
	said, ok := map[string]string{
		objects.GapBus:      "no valid reply from the controller",
		objects.GapIdentity: "the controller is not the configured one, or was not identified yet",
		objects.GapLine:     "the port could not be used",
		objects.GapOverrun:  "the line was too busy",
		objects.GapQueue:    "the store did not take the samples in time",
		objects.GapAgent:    "the agent did not run; the number is an estimate",
		objects.GapAge:      "the samples waited longer than max_age",
		objects.GapSize:     "the outbox was full",
		objects.GapDiskFull: "the disk was full",
		objects.GapRejected: "the outbox was full, and new samples were not stored",
		objects.GapRemoved:  "the integration was not in the configuration",
		objects.GapDead:     "the cloud rejected the samples, and they were deleted",
		objects.GapDamaged:  "the stored record is damaged",
	}[word]
	if !ok {
		return reason
	}
	return fmt.Sprintf("%s (%s)%s", said, word, strings.TrimPrefix(reason, word))
}
