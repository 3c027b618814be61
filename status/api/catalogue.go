package api

// MismatchRemedy is what to do about it.
const MismatchRemedy = "Correct `model` of the slave, or install the controller that it names. If the controller " +
	"reports the product code of another one, set model_check: ignore for the slave."

// The kinds, by what they concern: line, slave, integration, agent.
var (
	LineDown = Kind{"line_down", Fault, "The serial line cannot be used", Lost,
		"Check the adapter and its cable, and the port in the configuration; the error says what the system refused. " +
			"The agent retries automatically."}
	SlaveNoReply = Kind{"slave_silent", Fault, "A controller does not answer", Lost,
		"Check its power, the wiring (A and B swapped?), the unit id, and baud rate and parity of both ends."}
	SlaveDamaged = Kind{"slave_garbled", Warning, "A controller's replies arrive damaged", Lost,
		"Check the cable's screen, ground and termination, baud rate and parity of both ends, and that no two " +
			"controllers have one unit id."}
	LineShared = Kind{"line_shared", Warning, "Another master is asking on the line", Lost,
		"A Modbus line has one master: find the other program or device and stop it. Samples that might be answers " +
			"to it are dropped."}
	LineCollides = Kind{"line_collides", Warning, "Collisions: another device transmits at the same time", Lost,
		"Look for another master, a controller that answers too late, or a bus without biasing. The echo of the " +
			"requests shows it."}
	SlaveNoFamily = Kind{"slave_model_unknown", Fault, "A controller answers, but its model is not known", Lost,
		"Name a family as its model; `noi-agent objects` lists them."}
	SlaveNoIdentity = Kind{"slave_not_identified", Notice, "The controller does not identify itself", None,
		"Samples carry the configured model instead. Set product_code and firmware of the slave to name it yourself."}
	SlaveWrong = Kind{"slave_wrong_model", Fault, "A controller is of another family than the configuration says", Lost,
		MismatchRemedy}
	SlaveEmpty = Kind{"slave_without_objects", Fault, "A controller has none of the listed objects", Lost,
		"Correct `objects` of the slave; `noi-agent objects --family FAMILY` lists what a family has."}
	SlaveUnlisted = Kind{"slave_code_unknown", Warning, "A controller reports a product code that no family has", None,
		"It is sampled as configured. Compare some values with its display. If they are right, set model_check: " +
			"ignore for the slave; else correct its model."}
	SlaveAlarm = Kind{"controller_alarm", Warning, "A controller reports a fault or an alarm", None,
		"The controller has found this itself: its manual says what to do. The warning ends when the controller no " +
			"longer reports it."}
	SlaveRefusesAll = Kind{"slave_refusing", Fault, "A controller refuses to be read", Lost,
		"It answers every read with an exception; the error names it. Check the model and the objects in the " +
			"configuration, then restart the controller. The agent retries automatically."}
	SlaveRefuses = Kind{"object_refused", Warning, "A controller does not give some of the objects", Lost,
		"Take them out of the slave's objects if this model does not have them. The detail says how it refuses them."}
	LineOverrun = Kind{"line_overrun", Warning, "The line is too slow for the log intervals", Lost,
		"Use longer log intervals, fewer objects or a higher baud rate."}
	CloudRetrying = Kind{"integration_retrying", Warning, "A cloud cannot be reached", Delayed,
		"Check the uplink. Samples are kept and sent when it is back."}
	CloudWaiting = Kind{"integration_waiting", Fault, "Sending stopped: credentials, permission or topic must be fixed",
		Delayed,
		"`sudo -u noi-agent -H noi-agent publish-test ID` prints what to do. Samples are kept. They are tried again " +
			"within five minutes, and at once after systemctl reload noi-agent."}
	CloudNotSetUp = Kind{"integration_setup", Fault,
		"An integration is not set up: the gateway lacks what it needs to send", Delayed,
		"No cloud has refused anything: the detail names what is missing on this gateway, and `sudo -u noi-agent -H " +
			"noi-agent publish-test ID` prints what to do. Samples are kept. They are tried again within five " +
			"minutes, and at once after systemctl reload noi-agent."}
	CloudRejected = Kind{"dead_letters", Warning, "A cloud has rejected samples", Delayed,
		"They are set aside: `noi-agent deadletters list` shows them with the cloud's reason. When the reason is " +
			"fixed, `noi-agent deadletters retry` sends them; `drop` deletes them."}
	CloudRefuses = Kind{"kinds_refused", Warning, "A topic refuses samples of some kinds", Delayed,
		"Let the topic's schema take them, or take their objects out of the integration's objects. They are set " +
			"aside as dead letters, and one is tried now and then; when the topic accepts it, new samples are sent " +
			"again, and `noi-agent deadletters retry` sends the others."}
	CloudSkewed = Kind{"clock_differs", Warning, "The gateway's clock is away from a cloud's", None,
		"Set the gateway's clock: timedatectl set-ntp true; then compare: date -u. Samples are published, with times " +
			"of a clock that is wrong."}
	CloudDropped = Kind{"samples_dropped", Fault, "Outbox full: oldest samples were deleted", Lost,
		"Bring the cloud back, or raise buffer.max_size and buffer.max_age."}
	SamplesLost = Kind{"samples_lost", Fault, "Samples were read but could not be kept", Lost,
		"The disk does not keep up: check its health and which other programs write to it."}
	ClockUnset = Kind{"clock_unset", Warning, "The gateway's clock is not known to be right", Delayed,
		"Samples are kept, and their time is corrected once the clock is right. Let the gateway reach a time server, " +
			"or set its clock (date -u -s …). If the clock is right and only lies before the last good time, set " +
			"clock.source to system for one start."}
	StoreRecovered = Kind{"store_recovered", Warning, "The store could not be used and was replaced", Lost,
		"Nothing needs to be done now. Check the disk or card and the power supply: they spoil files. The old file " +
			"is kept; delete it if you do not need it."}
	StoreInMemory = Kind{"store_in_memory", Fault, "The disk fails, and samples are kept in memory only", Lost,
		"Replace the disk or card. It is probed every 20 minutes. When it works again and nothing waits in memory " +
			"any " +
			"" +
			"more, the agent restarts and uses it. A power cut loses what is in memory."}
	ConfigRefused = Kind{"config_refused", Warning, "The changed configuration is faulty and not in force", None,
		"Correct the lines that the detail names; `noi-agent check` shows every fault. Then: systemctl reload " +
			"noi-agent."}
	IntegrationsFile = Kind{"integrations_file", Warning, "The file of integrations is faulty and not in force", None,
		"Correct the lines that the detail names; `noi-agent check` shows every fault. Then: systemctl reload " +
			"noi-agent. Until then no integration can be changed on the page. The file of before the last change is " +
			"beside it, with .previous at its end."}
	ConfigRestart = Kind{"restart_needed", Warning, "A change of the configuration needs a restart", None,
		"systemctl restart noi-agent, or undo the change and reload."}
	StoreKept = Kind{"store_kept_aside", Notice, "A store that was replaced at an earlier start is kept", None,
		"Delete the files if you do not need them; the notice ends at the next start."}
)

// The kinds of a line that is reached over the network, and of replies that are not the answer. No text here speaks of
// wires. What a serial line has too keeps its code there, since alert rules name codes: gatewayShared, unitNoReply and
// unitDamaged.
var (
	GatewayRefuses = Kind{"gateway_refuses", Fault, "The gateway refuses connections", Lost,
		"Check the port number, and that Modbus is switched on in the gateway and open to this machine. Many " +
			"gateways serve one or two clients only: end the other program. The agent goes on trying."}
	GatewayAway = Kind{"gateway_unreachable", Fault, "The gateway cannot be reached", Lost,
		"Check the gateway's power and network cable, and its address in the configuration. The agent goes on trying."}
	GatewayFails = Kind{"gateway_fails", Fault, "The connection to the gateway fails", Lost,
		"The error gives the reason. Check that the port speaks what the configuration says: tcp:// is Modbus TCP, " +
			"rtu+tcp:// is RTU frames. The agent goes on trying."}
	GatewayShared = Kind{LineShared.Code, Warning, "Another program uses this gateway", Lost,
		"The gateway sends replies for another program to the agent too. Values that may be the other program's are " +
			"dropped. End the other program, or have the gateway answer each client apart."}
	UnitNoReply = Kind{SlaveNoReply.Code, Fault, "A controller behind a gateway does not answer", Lost,
		"Check the unit id, the controller's power, and the gateway's own status: it may have lost the controller, " +
			"or serve another client. If it is slow, set a longer timeout."}
	UnitDamaged = Kind{SlaveDamaged.Code, Warning, "A gateway sends replies that are not valid", Lost,
		"Check that the gateway's mode fits the configuration (tcp:// or rtu+tcp://) and that no two controllers " +
			"have one unit id."}
	SlaveLate = Kind{"slave_late", Fault, "A controller answers too late", Lost,
		"Set a timeout of the slave above the time that the error gives. If it is sudden, look for another program " +
			"that keeps the controller or its gateway busy."}
	SlaveOtherID = Kind{"slave_transaction_id", Fault, "A device answers with another transaction id", Lost,
		"Set transaction_id: ignore for the line if the device always does this. If not, another program's replies " +
			"come here: end that program."}
	SlaveOtherUnit = Kind{"slave_other_unit", Fault, "A device answers for another unit", Lost,
		"Correct the unit id of the slave: the error names the unit that answered."}
	SlaveOtherLength = Kind{"slave_wrong_length", Fault, "A device answers with another length", Lost,
		"The device sends another number of registers than it was asked for. A smaller max_registers of the slave " +
			"may help; else another program's replies come here, or the device is faulty."}
)

// networkKinds are the above.
func networkKinds() []Kind {
	return []Kind{
		GatewayRefuses, GatewayAway, GatewayFails, GatewayShared, UnitNoReply, UnitDamaged, SlaveLate, SlaveOtherID,
		SlaveOtherUnit, SlaveOtherLength,
	}
}

// Kinds returns the table of everything that can be wrong.
func Kinds() []Kind {
	return append([]Kind{
		LineDown, LineShared, LineCollides, SlaveNoReply, SlaveDamaged, SlaveRefusesAll, SlaveNoFamily, SlaveNoIdentity,
		SlaveWrong,
		SlaveEmpty, SlaveUnlisted, SlaveAlarm, SlaveRefuses, LineOverrun,
		CloudRetrying, CloudWaiting, CloudNotSetUp, CloudRejected, CloudRefuses, CloudSkewed, CloudDropped, SamplesLost,
		ClockUnset, StoreRecovered, StoreInMemory, StoreKept,
		ConfigRefused, IntegrationsFile, ConfigRestart,
	}, networkKinds()...)
}
