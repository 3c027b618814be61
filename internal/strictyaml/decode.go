package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Defaulter is a struct with default values. Decode calls SetDefaults on a pointer to each struct before it decodes the
// struct's keys: the target, list elements, map values, and the structs inside them, inner structs first. It also does
// so for structs that the document does not have.
type Defaulter interface{ SetDefaults() }

// Decode reads exactly one document into v, a pointer to a struct. An empty document leaves the defaults. Decode
// returns all faults in the order of their lines, and decodes the parts without a fault. A list has all elements of the
// document, also those with faults. The Document is never nil.
func Decode(data []byte, v any) (*Document, Faults) {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() || target.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("strictyaml: Decode wants a pointer to a struct, not %T", v))
	}
	setDefaults(target.Elem())
	root, faults := parse(data)
	d := decoder{faults: faults}
	doc := &Document{}
	if root != nil && !root.null() {
		doc.root = root
		d.value(root, target.Elem(), "")
	}
	d.faults.Sort()
	return doc, d.faults
}

// setDefaults calls SetDefaults on a struct and on the structs inside it, inner structs first.
func setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct {
		return
	}
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			setDefaults(v.Field(i))
		}
	}
	if d, ok := v.Addr().Interface().(Defaulter); ok {
		d.SetDefaults()
	}
}

// decoder collects the faults while it decodes the tree of nodes.
type decoder struct{ faults Faults }

// value decodes n into v, which is addressable.
func (d *decoder) value(n *node, v reflect.Value, path string) {
	if n.kind == 0 {
		return // refused while parsing
	}
	if n.null() {
		d.faults.addFault(Fault{n.line, path, "has no value; give one or leave the key out", CodeNoValue})
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			setDefaults(v.Elem())
		}
		d.value(n, v.Elem(), path)
		return
	}
	switch u := v.Addr().Interface().(type) {
	case Unmarshaler:
		d.own(n, path, u.UnmarshalNode(Node{n: n, path: path}))
		return
	case encoding.TextUnmarshaler:
		if d.want(n, KindScalar, path) {
			d.own(n, path, u.UnmarshalText([]byte(n.text)))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.slice(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	default:
		if d.want(n, KindScalar, path) {
			d.scalar(n, v, path)
		}
	}
}

// own reports the error of a type that decodes itself.
func (d *decoder) own(n *node, path string, err error) {
	if err == nil {
		return
	}
	var many Faults
	if errors.As(err, &many) {
		for _, f := range many {
			d.faults.addFault(f)
		}
		return
	}
	var one Fault
	if errors.As(err, &one) {
		d.faults.addFault(one)
		return
	}
	d.faults.add(n.line, path, err.Error())
}

// want adds a fault if the node has another kind than kind. It reports whether the kinds are the same.
func (d *decoder) want(n *node, kind Kind, path string) bool {
	if n.kind == kind {
		return true
	}
	found := map[Kind]string{KindScalar: "one value", KindList: "a list", KindMap: "keys and values"}
	text := fmt.Sprintf("want %s, not %s", found[kind], found[n.kind])
	if kind == KindList {
		text += "; begin each item with a dash"
	}
	d.faults.add(n.line, path, text)
	return false
}

func (d *decoder) slice(n *node, v reflect.Value, path string) {
	if !d.want(n, KindList, path) {
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		setDefaults(list.Index(i))
		d.value(item, list.Index(i), Index(path, i))
	}
	v.Set(list)
}

func (d *decoder) mapping(n *node, v reflect.Value, path string) {
	if v.Type().Key().Kind() != reflect.String {
		panic(fmt.Sprintf("strictyaml: %s: %s has keys that are not strings", path, v.Type()))
	}
	if !d.want(n, KindMap, path) {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.entries))
	for _, e := range n.entries {
		elem := reflect.New(v.Type().Elem()).Elem()
		setDefaults(elem)
		before := len(d.faults)
		d.value(e.at(), elem, Key(path, e.key))
		// An entry with a fault is left out: the checks of the caller would only report more faults.
		if e.value.kind != 0 && len(d.faults) == before {
			m.SetMapIndex(reflect.ValueOf(e.key).Convert(v.Type().Key()), elem)
		}
	}
	v.Set(m)
}

// at returns the entry's value. For a value that is missing, the line is the line of the key.
func (e entry) at() *node {
	if !e.value.null() {
		return e.value
	}
	n := *e.value
	n.line = e.line
	return &n
}

func (d *decoder) structure(n *node, v reflect.Value, path string) {
	if !d.want(n, KindMap, path) {
		return
	}
	byName, names := fields(v)
	for _, e := range n.entries {
		if f, ok := byName[e.key]; ok {
			d.value(e.at(), f, Key(path, e.key))
			continue
		}
		text := "unknown key"
		if near := Nearest(e.key, names); near != "" {
			text += "; did you mean " + near + "?"
		} else {
			text += "; known here: " + strings.Join(names, ", ")
		}
		d.faults.addFault(Fault{e.line, Key(path, e.key), text, CodeUnknownKey})
	}
}

// fields returns the fields of a struct by key, and the keys in the order of the fields.
func fields(v reflect.Value) (map[string]reflect.Value, []string) {
	byName := map[string]reflect.Value{}
	var names []string
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case !ok || tag == "-":
			continue
		case options == "inline":
			inner, innerNames := fields(v.Field(i))
			for _, name := range innerNames {
				byName[name] = inner[name]
			}
			names = append(names, innerNames...)
		default:
			byName[name] = v.Field(i)
			names = append(names, name)
		}
	}
	return byName, names
}

// durationType is decoded as a text, although its kind is an integer.
var durationType = reflect.TypeFor[time.Duration]()

// scalar decodes one value by its text.
func (d *decoder) scalar(n *node, v reflect.Value, path string) {
	var err error
	switch kind := v.Kind(); {
	case v.Type() == durationType:
		err = setDuration(n, v)
	case kind == reflect.String:
		v.SetString(n.text)
	case kind == reflect.Bool:
		err = setBool(n, v)
	case v.CanInt() || v.CanUint():
		err = setWhole(n, v)
	case v.CanFloat():
		err = setFloat(n, v)
	default:
		panic(fmt.Sprintf("strictyaml: %s: cannot decode into %s", path, v.Type()))
	}
	if err != nil {
		d.faults.add(n.line, path, err.Error())
	}
}
