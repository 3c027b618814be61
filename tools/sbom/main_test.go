package main

import "testing"

// A text with two licences has both names: yaml.v3 is under MIT and under Apache-2.0.
func TestATextMayHaveTwoLicences(t *testing.T) {
	const mit, apache = "Permission is hereby granted, free of charge, to any person\nobtaining a copy", "Apache License, Version 2.0"
	for text, want := range map[string]string{
		mit: "MIT", apache: "Apache-2.0", mit + "\n### Apache License ###\n" + apache: "MIT AND Apache-2.0", "": "",
	} {
		if got := identify(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
