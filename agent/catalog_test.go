package agent_test

import (
	"sync"
	"testing"

	"noi-agent/objects"
)

// builtIn reads the built-in families once for all tests; a catalog never changes.
var builtIn = sync.OnceValues(func() (*objects.Catalog, error) { return objects.LoadCatalog() })

func mustCatalog(t *testing.T) *objects.Catalog {
	t.Helper()
	catalog, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}
