package api

import _ "embed" // the document

//go:embed openapi.yaml
var document string

// OpenAPI is the description of the whole API, as OpenAPI 3.1 in YAML. status/api/openapitest holds it against the
// routes, the shapes and the answers.
func OpenAPI() string { return document }
