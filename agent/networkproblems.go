package agent

import (
	"errors"

	"noi-agent/modbus"
	"noi-agent/status/api"
)

// lineKind returns what is wrong with a line that is down.
func lineKind(network bool, err error) api.Kind {
	var open *modbus.OpenError
	switch {
	case !network:
		return api.LineDown
	case modbus.IsRefused(err):
		return api.GatewayRefuses
	case errors.As(err, &open):
		return api.GatewayAway
	default:
		return api.GatewayFails
	}
}

// replyKind returns what is wrong with a slave that gives no valid answer.
func replyKind(network, silent bool, err error) api.Kind {
	switch {
	case errors.Is(err, modbus.ErrLate):
		return api.SlaveLate
	case errors.Is(err, modbus.ErrForeignID):
		return api.SlaveOtherID
	case errors.Is(err, modbus.ErrForeignUnit):
		return api.SlaveOtherUnit
	case errors.Is(err, modbus.ErrLength):
		return api.SlaveOtherLength
	case errors.Is(err, modbus.ErrShared):
		return api.GatewayShared
	case network && silent:
		return api.UnitNoReply
	case network:
		return api.UnitDamaged
	case silent:
		return api.SlaveNoReply
	default:
		return api.SlaveDamaged
	}
}
