package configs

// Functions for the tests of patterns.

func Match(word, name string) bool { return match(word, name) }

func Best(words []string, name string) (winner, tie string) { return best(words, name) }

func SameGateway(a, b string, lookUp func(string) []string) bool { return sameGateway(a, b, lookUp) }
