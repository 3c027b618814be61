// Package integrations manages the integrations that are made on the page, over the API or by command. It lists them
// together with the integrations of the configuration file, changes them while the agent runs, and keeps them in their
// own file (configs.IntegrationsFile in the state directory).
//
// Promises:
//
//   - One schema and one validation: a JSON body goes through the decoder and the rules of the configuration file. Each
//     error comes back with a pointer to its field.
//   - When a change returns, it is on the disk and active. The lines and the other integrations are not touched.
//   - Two writers never lose an edit: a change names the version that it was made from (ETag), and writers take turns.
//   - The file is replaced as a whole. A crash at any moment leaves the old set or the new set. The previous file is
//     kept beside the new one as `.previous`.
//   - An unreadable file, or a file with an error, does not stop the agent. The last good set stays active. At a
//     start this is the set of `.previous`; without a good `.previous`, it is the part of the file without errors. A
//     problem names file and line.
//
// Refused: a change of an integration of the configuration file, and any change while the file on the disk differs from
// the active set. A person has edited the file in this case, and the change would overwrite the edit.
//
// Failure: errors are *api.Error, with the HTTP status for the answer.
//
// In reading order:
//
//   - book.go: the active set, and how it follows the file
//   - edit.go: create, replace, delete, pause
//   - body.go: a JSON body for the decoder; errors by the fields of the body
//   - entry.go: an integration as the page and the API show it
//   - text.go, file.go: the file's text, and how it is replaced
//   - trial.go: the test of an integration
package integrations
