package web_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"
)

// WCAG 2.2 §1.4.3 requires a contrast of 4.5 for text, §1.4.11 of 3 for the edges of controls.
func TestStyleHasContrastByDayAndNight(t *testing.T) {
	source, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllSubmatch(source, -1)
	if len(schemes) != 2 {
		t.Fatalf("%d schemes, want light and dark", len(schemes))
	}
	for _, scheme := range schemes {
		colour := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]+);`).FindAllSubmatch(scheme[1], -1) {
			colour[string(m[1])] = luminance(t, string(m[2]))
		}
		for _, ground := range []string{"bg", "card"} {
			for ink, least := range map[string]float64{"text": 4.5, "muted": 4.5, "link": 4.5, "good": 4.5, "warn": 4.5, "bad": 4.5, "edge": 3} {
				a, known1 := colour[ink]
				b, known2 := colour[ground]
				if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); !known1 || !known2 || contrast < least {
					t.Errorf("%s on %s: contrast %.1f in %s", ink, ground, contrast, scheme[1])
				}
			}
		}
	}
}

// luminance returns WCAG's relative luminance of the color "abc" or "aabbcc".
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		if c := float64(n) / 255; c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
