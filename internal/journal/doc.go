// Package journal writes log records to systemd's journal with a priority and fields, so that `journalctl -p warning`
// and `journalctl NOI_LINE=rs485` find them. The message of an entry is the text of the record with its attributes,
// as in other logs.
//
// A record that the journal does not take goes to the fallback handler. Nothing is lost, and nothing waits.
package journal
