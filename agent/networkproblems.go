package agent

import (
	"errors"

	"noi-agent/modbus"
)

// The kinds of a line that is reached over the network, and of replies that are not the answer. No text here speaks of wires.
// What a serial line has too keeps its code there, since alert rules name codes: gatewayShared, unitNoReply and unitDamaged.
var (
	gatewayRefuses = Kind{"gateway_refuses", Fault, "The gateway refuses connections", Lost,
		"Check the port number, and that Modbus is switched on in the gateway and open to this machine. Many gateways serve one or two clients only: " +
			"end the other program. The agent goes on trying."}
	gatewayAway = Kind{"gateway_unreachable", Fault, "The gateway cannot be reached", Lost,
		"Check the gateway's power and network cable, and its address in the configuration. The agent goes on trying."}
	gatewayFails = Kind{"gateway_fails", Fault, "The connection to the gateway fails", Lost,
		"The error gives the reason. Check that the port speaks what the configuration says: tcp:// is Modbus TCP, rtu+tcp:// is RTU frames. The agent goes on trying."}
	gatewayShared = Kind{lineShared.Code, Warning, "Another program uses this gateway", Lost,
		"The gateway sends replies for another program to the agent too. Values that may be the other program's are dropped. End the other program, or have the gateway answer each client apart."}
	unitNoReply = Kind{slaveNoReply.Code, Fault, "A controller behind a gateway does not answer", Lost,
		"Check the unit id, the controller's power, and the gateway's own status: it may have lost the controller, or serve another client. If it is slow, set a longer timeout."}
	unitDamaged = Kind{slaveDamaged.Code, Warning, "A gateway sends replies that are not valid", Lost,
		"Check that the gateway's mode fits the configuration (tcp:// or rtu+tcp://) and that no two controllers have one unit id."}
	slaveLate = Kind{"slave_late", Fault, "A controller answers too late", Lost,
		"Set a timeout of the slave above the time that the error gives. If it is sudden, look for another program that keeps the controller or its gateway busy."}
	slaveOtherID = Kind{"slave_transaction_id", Fault, "A device answers with another transaction id", Lost,
		"Set transaction_id: ignore for the line if the device always does this. If not, another program's replies come here: end that program."}
	slaveOtherUnit = Kind{"slave_other_unit", Fault, "A device answers for another unit", Lost,
		"Correct the unit id of the slave: the error names the unit that answered."}
	slaveOtherLength = Kind{"slave_wrong_length", Fault, "A device answers with another length", Lost,
		"The device sends another number of registers than it was asked for. A smaller max_registers of the slave may help; else another program's replies come here, or the device is faulty."}
)

// networkKinds are the above.
func networkKinds() []Kind {
	return []Kind{
		gatewayRefuses, gatewayAway, gatewayFails, gatewayShared, unitNoReply, unitDamaged, slaveLate, slaveOtherID, slaveOtherUnit, slaveOtherLength,
	}
}

// lineKind returns what is wrong with a line that is down.
func lineKind(network bool, err error) Kind {
	var open *modbus.OpenError
	switch {
	case !network:
		return lineDown
	case modbus.IsRefused(err):
		return gatewayRefuses
	case errors.As(err, &open):
		return gatewayAway
	default:
		return gatewayFails
	}
}

// replyKind returns what is wrong with a slave that gives no valid answer.
func replyKind(network, silent bool, err error) Kind {
	switch {
	case errors.Is(err, modbus.ErrLate):
		return slaveLate
	case errors.Is(err, modbus.ErrForeignID):
		return slaveOtherID
	case errors.Is(err, modbus.ErrForeignUnit):
		return slaveOtherUnit
	case errors.Is(err, modbus.ErrLength):
		return slaveOtherLength
	case errors.Is(err, modbus.ErrShared):
		return gatewayShared
	case network && silent:
		return unitNoReply
	case network:
		return unitDamaged
	case silent:
		return slaveNoReply
	default:
		return slaveDamaged
	}
}
