package budget_test

import (
	"sync"
	"testing"

	"noi-agent/objects"
)

// families reads the built-in families once for all tests; a catalog never changes.
var families = sync.OnceValues(func() (*objects.Catalog, error) { return objects.LoadCatalog() })

func catalogOf(t *testing.T) *objects.Catalog {
	t.Helper()
	catalog, err := families()
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}
