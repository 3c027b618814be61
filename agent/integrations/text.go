package integrations

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"noi-agent/configs"
)

// head is the beginning of the file.
const head = `# Integrations that are made on the page, over the API or with "noi-agent integrations". The agent
# replaces this file at each change, and comments are lost. After an edit by hand: noi-agent check && noi-agent reload
`

// textOf returns the text of the file for a set of integrations. Each key is on a line of its own, so that an error
// names the line.
func textOf(set []configs.Integration) []byte {
	var b strings.Builder
	b.WriteString(head)
	if len(set) == 0 {
		b.WriteString("integrations: []\n")
		return []byte(b.String())
	}
	b.WriteString("integrations:\n")
	for i := range set {
		lead := "- "
		for _, key := range keysOf(&set[i]) {
			value, err := flowOf(key.value, "")
			if err != nil {
				panic(err) // it was encoded just now
			}
			fmt.Fprintf(&b, "%s%s: %s\n", lead, key.name, value)
			lead = "  "
		}
	}
	return []byte(b.String())
}

// flowText returns an integration as YAML in one line.
func flowText(in *configs.Integration) string {
	text, err := flowOf(mustJSON(configOf(in)), "")
	if err != nil {
		panic(err) // it was encoded just now
	}
	return text
}

// keyValue is one key of an integration with its value as JSON.
type keyValue struct {
	name  string
	value json.RawMessage
}

// keysOf returns the keys of an integration in the order of api.IntegrationConfig.
func keysOf(in *configs.Integration) (list []keyValue) {
	dec := json.NewDecoder(bytes.NewReader(mustJSON(configOf(in))))
	_, err := dec.Token()
	for err == nil && dec.More() {
		var name json.Token
		if name, err = dec.Token(); err == nil {
			var value json.RawMessage
			err = dec.Decode(&value)
			list = append(list, keyValue{fmt.Sprint(name), value})
		}
	}
	if err != nil {
		panic(err) // it was encoded just now
	}
	return list
}

// mustJSON encodes a value of our own types, which can always be encoded.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
