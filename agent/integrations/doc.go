// Package integrations has the integrations that are made on the page, over the API or by command: it lists them beside
// those of the configuration file, changes them while the agent runs, and keeps them in a file of its own
// (configs.IntegrationsFile in the state directory).
//
// Promises:
//
//   - One schema and one validation: what is sent as JSON goes through the decoder and the rules of the configuration
//     file. Its faults come back with a pointer to each field.
//   - When a change returns, it is on the disk and in force. The lines and the other integrations are not touched.
//   - Two writers never lose an edit: a change names the version that it was made from (ETag), and writers take turns.
//   - The file is replaced whole. A crash at any moment leaves the old set or the new one. The file of before is kept
//     beside it as `.previous`.
//   - A file that does not read, or has a fault, does not stop the agent: the last good set stays in force, at a start
//     that of `.previous`, and else what of the file has no fault. A problem names file and line.
//
// Refused: a change of an integration of the configuration file, and any change while the file on the disk is not what
// is in force. A person has edited the file then, and the change would overwrite that.
//
// Failure: errors are *api.Error, with the status to answer with.
//
// In reading order:
//
//   - book.go: the set in force, and how the file comes into force
//   - edit.go: create, replace, delete, pause
//   - body.go: a JSON body as the decoder takes it; faults as the fields of a body
//   - entry.go: an integration as people see it
//   - text.go, file.go: the file's text, and how it is replaced
//   - trial.go: the test of an integration
package integrations
