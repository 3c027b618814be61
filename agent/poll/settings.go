package poll

import (
	"noi-agent/configs"
	"noi-agent/modbus"
)

// PortSettings returns a line's port settings in the words of package modbus.
func PortSettings(line *configs.Line) modbus.Settings {
	return modbus.Settings{
		Port: line.Port, Baud: line.Baud, DataBits: line.DataBits, StopBits: line.StopBits, Parity: line.Parity,
		RS485: modbus.RS485{
			Mode: line.RS485, Before: line.RS485DelayBefore, After: line.RS485DelayAfter, Polarity: line.RS485Polarity,
		},
		DTR: line.DTR, RTS: line.RTS, LowLatency: line.LowLatency,
		ConnectDelay: line.ConnectDelay, TransactionID: line.TransactionID,
	}
}
