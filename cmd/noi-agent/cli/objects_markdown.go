package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"noi-agent/objects"
	"noi-agent/status/wording"
)

// printMarkdown prints families in the form of docs/objects.md.
func printMarkdown(w io.Writer, families []*objects.Family) error {
	var b strings.Builder
	b.WriteString("# Families and objects\n\n" +
		"Made by `noi-agent objects --markdown` from the family files; do not edit. Addresses are PDU addresses, " +
		"0-based. `unverified`: address or\n" +
		"encoding rests on one doubtful source, or on sources that disagree. How to write a family of your own: " +
		"[families.md](families.md).\n\n" +
		"| family | title | objects | of them live |\n|---|---|---|---|\n")
	for _, f := range families {
		live := 0
		for i := range f.Objects {
			if !f.Objects[i].Setting() {
				live++
			}
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %d | %d |\n", f.Slug, strings.ToLower(f.Slug), cell(f.Title),
			len(f.Objects), live)
	}
	for _, f := range families {
		familyMarkdown(&b, f)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func familyMarkdown(b *strings.Builder, f *objects.Family) {
	fmt.Fprintf(b, "\n## %s\n\n%s; %s; at most %d registers a read.\n\n", f.Slug, f.Title,
		productCodes(f, "`"), f.MaxRegisters)
	b.WriteString("| address | object | kind | unit | interval | confidence | meaning " +
		"|\n|---|---|---|---|---|---|---|\n")
	for i := range f.Objects {
		o := &f.Objects[i]
		fmt.Fprintf(b, "| 0x%04X | `%s` | %s | %s | %s | %s | %s |\n",
			o.Address, o.Name, kindOf(o), cell(o.Unit), wording.Duration(o.Interval.String()), confidence(o),
			cell(strings.TrimSpace(o.About+remark(o))))
	}
	namesMarkdown(b, f)
}

// namesMarkdown lists states and bits. Objects with the same table share one list.
func namesMarkdown(b *strings.Builder, f *objects.Family) {
	var lists []string
	owners := map[string][]string{}
	add := func(owner string, names map[uint16]string) {
		list := strings.Join(namesOf(names, " "), " · ")
		if list == "" {
			return
		}
		if !slices.Contains(lists, list) {
			lists = append(lists, list)
		}
		owners[list] = append(owners[list], owner)
	}
	for i := range f.Objects {
		o := &f.Objects[i]
		add("`"+o.Name+"`", o.Names)
		if o.NamesBy == nil {
			continue
		}
		for mode := range uint16(16) {
			add(fmt.Sprintf("`%s` with `%s` %d", o.Name, o.NamesBy.Object.Name, mode), o.NamesBy.Tables[mode])
		}
	}
	for _, list := range lists {
		fmt.Fprintf(b, "\n%s: %s\n", strings.Join(owners[list], ", "), cell(list))
	}
}

// cell escapes a text for a table, where a bar begins a new column and a bracket a link.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "[", `\[`, "<", "&lt;").Replace(text)
}
