package objects_test

import (
	"encoding/json"
	"math"
	"testing"

	"noi-agent/objects"
)

func TestNumbersPrintWithoutExponentTrailingZeroOrMinusZero(t *testing.T) {
	for _, c := range []struct {
		in   float64
		want string
	}{
		{12.1171875, "12.117188"}, {0, "0"}, {math.Copysign(0, -1), "0"}, {-0.0000001, "0"}, {-0.5, "-0.5"},
		{100, "100"}, {1e15, "1000000000000000"}, {5.9604644775390625e-08, "0"}, {0.1 * 3, "0.3"}, {-12, "-12"},
		{429496729.5, "429496729.5"}, {65504, "65504"}, {0.000001, "0.000001"},
	} {
		if got := string(objects.Number(c.in).AppendJSON(nil)); got != c.want {
			t.Errorf("%g prints %s, want %s", c.in, got, c.want)
		}
	}
}

func TestValuesAreJSON(t *testing.T) {
	for _, c := range []struct {
		in   objects.Value
		want string
	}{
		{objects.Text("FLOAT"), `"FLOAT"`}, {objects.Text(`a"b\<é` + "\n"), `"a\"b\\<é\n"`},
		{objects.Bits(nil), `[]`}, {objects.Bits([]string{"rts_open", "lvd"}), `["rts_open","lvd"]`},
		{objects.Bool(true), `true`}, {objects.Bool(false), `false`}, {objects.Value{}, `null`},
	} {
		got, err := json.Marshal(c.in)
		// encoding/json escapes < for HTML; a message must not have this
		if plain := string(c.in.AppendJSON(nil)); plain != c.want || err != nil || !json.Valid(got) {
			t.Errorf("%v prints %s (%s, %v), want %s", c.in, plain, got, err, c.want)
		}
	}
}

func TestInfinityCannotBecomeAValue(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Number(%v) was accepted, want a panic", f)
				}
			}()
			objects.Number(f)
		}()
	}
}

func TestSampleIDNamesDeviceStoreRunAndNumber(t *testing.T) {
	got := objects.SampleID("5300520006504b5957343920", "0badcafe", 3, 17)
	if want := "5300520006504b5957343920-0badcafe-3-17"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
