package api

import _ "embed" // the document

//go:embed openapi.yaml
var document string

// OpenAPI is the description of the whole API, as OpenAPI 3.1 in YAML. status/api/openapitest compares it with the
// routes, the types and the answers.
func OpenAPI() string { return document }
