package sns

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxGroup is the most characters a MessageGroupId has (SNS API reference, PublishBatchRequestEntry).
const maxGroup = 128

// groupID names the ordered group of a message: device and order key. SNS accepts letters, digits and ASCII
// punctuation. Any other character, such as a space in a line's name, becomes "_". This may merge two groups, which
// costs throughput but never the order. A name that is too long keeps its begin, and ends with a hash of the whole
// name, so that it stays one group.
func groupID(device, key string) string {
	id := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, device+"/"+key)
	if len(id) <= maxGroup {
		return id
	}
	sum := sha256.Sum256([]byte(device + "/" + key))
	tail := "#" + hex.EncodeToString(sum[:16])
	return id[:maxGroup-len(tail)] + tail
}
