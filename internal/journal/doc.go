// Package journal writes log records to the journal of systemd, with a priority and fields. So
// `journalctl -p warning` and `journalctl NOI_LINE=rs485` find them. The message of an entry is the text of the record
// with its attributes, as in other logs.
//
// If the journal does not accept a record, the record goes to the fallback handler. No record is lost, and no caller
// waits. The code is in journal.go.
package journal
