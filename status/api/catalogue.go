package api

import "time"

// MismatchRemedy is what to do about it.
const MismatchRemedy = "Correct `model` of the slave, or install the controller that it names. If the controller " +
	"reports the product code of another one, set model_check: ignore for the slave."

// soon is after how long it is news that something does not answer: a request that is lost is repeated after a second,
// and again after five.
const soon = 10 * time.Second

// triedAgain ends the remedy of what an operator must fix before an integration can send.
const triedAgain = " Samples are kept. They are tried again within five minutes, and at once after `noi-agent reload`."

// Pages of the endpoint that show more.
const (
	pageLines        = "/system#lines"
	pageSlave        = "/values?unit={id}"
	pageIntegrations = "/integrations/{type}"
	pageFailures     = "/triggers?integration={id}&success=false"
	pageOutbox       = "/system#outbox"
	pageSystem       = "/system"
)

// deadLine are the codes that explain whatever else is wrong on a line; deadSlave those that explain what is wrong with
// a slave besides.
func deadLine() []string {
	return []string{LineDown.Code, LinePortMissing.Code, LinePortDenied.Code, LinePortBusy.Code, GatewayRefuses.Code,
		GatewayAway.Code, GatewayFails.Code}
}

func deadSlave() []string {
	return append(deadLine(), SlaveNoReply.Code, SlaveDamaged.Code, SlaveLate.Code, SlaveOtherID.Code,
		SlaveOtherUnit.Code, SlaveOtherLength.Code, SlaveRefusesAll.Code, SlaveNoFamily.Code, SlaveWrong.Code)
}

// The kinds of a serial line.
var (
	LineDown = Kind{Code: "line_down", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The serial line {name} cannot be used",
		Remedy: "Check the adapter and its cable, and the port in the configuration; the error says what the system " +
			"refused. The agent retries automatically."}
	LinePortMissing = Kind{Code: "line_port_missing", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The serial adapter of {name} was not found",
		Remedy: "Plug the adapter in, or correct `port` of the line: `noi-agent doctor` lists the ports of this " +
			"gateway. The agent retries automatically."}
	LinePortDenied = Kind{Code: "line_port_denied", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "No permission to open the port of {name}",
		Remedy: "Add the daemon's user to the group of the port, which the error names: sudo usermod -aG dialout " +
			"noi-agent. Then: sudo systemctl restart noi-agent."}
	LinePortBusy = Kind{Code: "line_port_busy", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "{holder} has the port of {name} open",
		Remedy: "Stop the other program. ModemManager opens every new USB adapter: sudo systemctl disable --now " +
			"ModemManager. `noi-agent doctor` looks for such programs. The agent retries automatically."}
	LineShared = Kind{Code: "line_shared", Severity: Warning, Effect: Lost, Href: pageLines, DependsOn: deadLine(),
		Title: "Another master is asking on {name}",
		Remedy: "A Modbus line has one master: find the other program or device and stop it. Samples that might be " +
			"answers to it are dropped."}
	LineCollides = Kind{Code: "line_collides", Severity: Warning, Effect: Lost, Href: pageLines, DependsOn: deadLine(),
		Title: "Collisions on {name}: another device transmits at the same time",
		Remedy: "Look for another master, a controller that answers too late, or a bus without biasing. The echo of " +
			"the requests shows it."}
	LineOverrun = Kind{Code: "line_overrun", Severity: Warning, Effect: Lost, Href: pageLines, DependsOn: deadLine(),
		Title:  "The line is too slow for the log intervals of {name}",
		Remedy: "Use longer log intervals, fewer objects or a higher baud rate."}
)

// The kinds of a slave.
var (
	SlaveNoReply = Kind{Code: "slave_silent", Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "{name} does not answer",
		Remedy: "Check its power, the wiring (A and B swapped?), the unit id, and baud rate and parity of both ends."}
	SlaveDamaged = Kind{Code: "slave_garbled", Severity: Warning, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "Replies from {name} arrive damaged",
		Remedy: "Check the cable's screen, ground and termination, baud rate and parity of both ends, and that no " +
			"two controllers have one unit id."}
	SlaveNoFamily = Kind{Code: "slave_model_unknown", Severity: Fault, Effect: Lost, Href: pageSlave,
		DependsOn: deadLine(), Title: "{name} answers, but its model is not known",
		Remedy: "Name a family as its model; `noi-agent objects` lists them."}
	SlaveNoIdentity = Kind{Code: "slave_not_identified", Severity: Notice, Effect: None, Href: pageSlave,
		DependsOn: deadSlave(), Title: "{name} does not identify itself",
		Remedy: "Samples carry the configured model instead. Set product_code and firmware of the slave to name it " +
			"yourself."}
	SlaveWrong = Kind{Code: "slave_wrong_model", Severity: Fault, Effect: Lost, Href: pageSlave, DependsOn: deadLine(),
		Title: "{name} is of another family than the configuration says", Remedy: MismatchRemedy}
	SlaveEmpty = Kind{Code: "slave_without_objects", Severity: Fault, Effect: Lost, Href: pageSlave,
		DependsOn: deadLine(), Title: "{name} has none of the listed objects",
		Remedy: "Correct `objects` of the slave; `noi-agent objects --family FAMILY` lists what a family has."}
	SlaveUnlisted = Kind{Code: "slave_code_unknown", Severity: Warning, Effect: None, Href: pageSlave,
		DependsOn: deadSlave(), Title: "{name} reports a product code that no family has",
		Remedy: "It is sampled as configured. Compare some values with its display. If they are right, set " +
			"model_check: ignore for the slave; else correct its model."}
	SlaveAlarm = Kind{Code: "controller_alarm", Severity: Warning, Effect: None, Href: pageSlave,
		DependsOn: deadSlave(), Title: "{name} reports {alarm}",
		Remedy: "The controller has found this itself: its manual says what to do. The warning ends when the " +
			"controller no longer reports it."}
	SlaveRefusesAll = Kind{Code: "slave_refusing", Severity: Fault, Effect: Lost, Href: pageSlave,
		DependsOn: deadLine(), Title: "{name} refuses to be read",
		Remedy: "It answers every read with an exception; the error names it. Check the model and the objects in the " +
			"configuration, then restart the controller. The agent retries automatically."}
	SlaveRefuses = Kind{Code: "object_refused", Severity: Warning, Effect: Lost, Href: pageSlave,
		DependsOn: deadSlave(), Title: "{name} does not give some of the objects",
		Remedy: "Take them out of the slave's objects if this model does not have them. The detail says how it " +
			"refuses them."}
)

// The kinds of an integration.
var (
	CloudRetrying = Kind{Code: "integration_retrying", Severity: Warning, Effect: Delayed, Href: pageFailures,
		VisibleAfter: soon, Title: "{cloud} does not take the messages of {name} now",
		Remedy: "Nothing needs to be done if it passes: the agent retries, and samples are kept and sent. If it " +
			"stays, look at the cloud's status page and its quotas."}
	CloudUnreachable = Kind{Code: "integration_unreachable", Severity: Warning, Effect: Delayed, Href: pageFailures,
		VisibleAfter: soon, Title: "No connection to {cloud} for {name}",
		Remedy: "Check the uplink: modem, SIM card, name server, firewall, proxy. `noi-agent publish-test {name}` " +
			"tests the way step by step. Samples are kept and sent when the connection is back."}
	CloudWaiting = Kind{Code: "integration_waiting", Severity: Fault, Effect: Delayed, Href: pageFailures,
		Title:  "{cloud} refuses messages for {name}",
		Remedy: "`sudo -u noi-agent -H noi-agent publish-test {name}` prints what to do." + triedAgain}
	CloudNoPermission = Kind{Code: "integration_no_permission", Severity: Fault, Effect: Delayed, Href: pageFailures,
		Title: "{cloud} refuses messages for {name}: no permission to publish",
		Remedy: "Allow the identity that the error names to publish to the topic: `noi-agent setup {type} {name}` " +
			"prints the policy, and `sudo -u noi-agent -H noi-agent publish-test {name}` the command." + triedAgain}
	CloudNoTopic = Kind{Code: "integration_no_topic", Severity: Fault, Effect: Delayed, Href: pageFailures,
		Title: "The topic of {name} does not exist",
		Remedy: "Correct the topic of the integration, or create it: `noi-agent setup {type} {name}` prints the " +
			"command." + triedAgain}
	CloudNoCredentials = Kind{Code: "integration_no_credentials", Severity: Fault, Effect: Delayed, Href: pageFailures,
		Title: "{name} has no valid credentials",
		Remedy: "Give the daemon's user credentials that are in force: `noi-agent setup {type} {name}` prints the " +
			"ways, and `sudo -u noi-agent -H noi-agent publish-test {name}` tests them." + triedAgain}
	CloudNotSetUp = Kind{Code: "integration_setup", Severity: Fault, Effect: Delayed, Href: pageIntegrations,
		Title: "{name} is not set up: the gateway lacks what it needs to send",
		Remedy: "No cloud has refused anything: the detail names what is missing on this gateway, and `sudo -u " +
			"noi-agent -H noi-agent publish-test {name}` prints what to do." + triedAgain}
	ClockWrong = Kind{Code: "clock_wrong", Severity: Fault, Effect: Delayed, Href: pageSystem, VisibleAfter: soon,
		DependsOn: []string{ClockUnset.Code},
		Title:     "The clock is wrong: {cloud} refuses the signature of {name}",
		Remedy: "Set the gateway's clock: timedatectl set-ntp true; then compare: date -u. Samples are kept, and " +
			"sent when the clock is right."}
	CloudRejected = Kind{Code: "dead_letters", Severity: Warning, Effect: Delayed, Href: pageOutbox,
		Title: "{messages} of {name} set aside",
		Remedy: "`noi-agent deadletters list` shows them with the cloud's reason. When the reason is fixed, " +
			"`noi-agent deadletters retry` sends them; `noi-agent deadletters drop` deletes them."}
	CloudRefuses = Kind{Code: "kinds_refused", Severity: Warning, Effect: Delayed, Href: pageFailures,
		Title: "The topic of {name} refuses samples of some kinds",
		Remedy: "Let the topic's schema take them, or take their objects out of the integration's objects. They are " +
			"set aside as dead letters, and one is tried now and then; when the topic accepts it, new samples are " +
			"sent again, and `noi-agent deadletters retry` sends the others."}
	CloudSkewed = Kind{Code: "clock_differs", Severity: Warning, Effect: None, Href: pageSystem,
		DependsOn: []string{ClockUnset.Code}, Title: "The gateway's clock is away from that of {cloud}",
		Remedy: "Set the gateway's clock: timedatectl set-ntp true; then compare: date -u. Samples are published, " +
			"with times of a clock that is wrong."}
	OutboxFilling = Kind{Code: "outbox_filling", Severity: Warning, Effect: Delayed, Href: pageOutbox,
		DependsOn: []string{CloudDropped.Code}, Title: "Samples of {name} will be deleted from {day} on",
		Remedy: "Until then nothing is lost. Have the cloud take samples again, or raise buffer.max_size or " +
			"buffer.max_age, whichever the detail names."}
	CloudDropped = Kind{Code: "samples_dropped", Severity: Fault, Effect: Lost, Href: pageOutbox,
		Title: "Samples of {name} are deleted before the cloud has them",
		Remedy: "Have the cloud take samples again, or raise buffer.max_size and buffer.max_age. `noi-agent gaps` " +
			"lists what is missing."}
)

// The kinds of the agent, its clock, its store and its configuration.
var (
	SamplesLost = Kind{Code: "samples_lost", Severity: Fault, Effect: Lost, Href: pageOutbox,
		Title:  "Samples from {name} were read but could not be kept",
		Remedy: "The disk does not keep up: check its health and which other programs write to it."}
	ClockUnset = Kind{Code: "clock_unset", Severity: Warning, Effect: Delayed, Href: pageSystem,
		Title: "The gateway's clock is not known to be right",
		Remedy: "Samples are kept, and their time is corrected once the clock is right. Let the gateway reach a time " +
			"server, or set its clock (date -u -s …). If the clock is right and only lies before the last good time, " +
			"set clock.source to system for one start."}
	StoreRecovered = Kind{Code: "store_recovered", Severity: Warning, Effect: Lost, Href: pageOutbox,
		Title: "The store could not be used and was replaced",
		Remedy: "Nothing needs to be done now. Check the disk or card and the power supply: they spoil files. The " +
			"old file is kept; delete it if you do not need it. `noi-agent gaps ack` ends the warning."}
	StoreInMemory = Kind{Code: "store_in_memory", Severity: Fault, Effect: Lost, Href: pageOutbox,
		Title: "The disk fails, and samples are kept in memory only",
		Remedy: "Replace the disk or card. It is probed every 20 minutes. When it works again and nothing waits in " +
			"memory any more, the agent restarts and uses it. A power cut loses what is in memory."}
	ConfigRefused = Kind{Code: "config_refused", Severity: Warning, Effect: None, Href: pageSystem,
		Title: "The configuration file is not valid; the previous one is in use",
		Remedy: "Correct the lines that the detail names; `noi-agent check` shows every fault. Then: systemctl " +
			"reload noi-agent."}
	IntegrationsFile = Kind{Code: "integrations_file", Severity: Warning, Effect: None, Href: pageSystem,
		Title: "The file of integrations is not valid and not in force",
		Remedy: "Correct the lines that the detail names; `noi-agent check` shows every fault. Then: systemctl " +
			"reload noi-agent. Until then no integration can be changed on the page. The file of before the last " +
			"change is beside it, with .previous at its end."}
	ConfigRestart = Kind{Code: "restart_needed", Severity: Warning, Effect: None, Href: pageSystem,
		Title:  "A change of the configuration needs a restart",
		Remedy: "systemctl restart noi-agent, or undo the change and reload."}
	StoreKept = Kind{Code: "store_kept_aside", Severity: Notice, Effect: None, Href: pageOutbox,
		Title:  "A store that was replaced at an earlier start is kept",
		Remedy: "Delete the files if you do not need them; the notice ends at the next start."}
)

// The kinds of a line that is reached over the network, and of replies that are not the answer. No text here speaks of
// wires. What a serial line has too keeps its code there, since alert rules name codes: gatewayShared, unitNoReply and
// unitDamaged.
var (
	GatewayRefuses = Kind{Code: "gateway_refuses", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The gateway {name} refuses connections",
		Remedy: "Check the port number, and that Modbus is switched on in the gateway and open to this machine. Many " +
			"gateways serve one or two clients only: end the other program. The agent goes on trying."}
	GatewayAway = Kind{Code: "gateway_unreachable", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The gateway {name} cannot be reached",
		Remedy: "Check the gateway's power and network cable, and its address in the configuration. The agent goes " +
			"on trying."}
	GatewayFails = Kind{Code: "gateway_fails", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The connection to the gateway {name} fails",
		Remedy: "The error gives the reason. Check that the port speaks what the configuration says: tcp:// is " +
			"Modbus TCP, rtu+tcp:// is RTU frames. The agent goes on trying."}
	GatewayShared = Kind{Code: LineShared.Code, Severity: Warning, Effect: Lost, Href: pageLines,
		DependsOn: deadLine(), Title: "Another program uses the gateway {name}",
		Remedy: "The gateway sends replies for another program to the agent too. Values that may be the other " +
			"program's are dropped. End the other program, or have the gateway answer each client apart."}
	UnitNoReply = Kind{Code: SlaveNoReply.Code, Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "{name} does not answer behind its gateway",
		Remedy: "Check the unit id, the controller's power, and the gateway's own status: it may have lost the " +
			"controller, or serve another client. If it is slow, set a longer timeout."}
	UnitDamaged = Kind{Code: SlaveDamaged.Code, Severity: Warning, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "The gateway sends replies of {name} that are not valid",
		Remedy: "Check that the gateway's mode fits the configuration (tcp:// or rtu+tcp://) and that no two " +
			"controllers have one unit id."}
	SlaveLate = Kind{Code: "slave_late", Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "{name} answers too late",
		Remedy: "Set a timeout of the slave above the time that the error gives. If it is sudden, look for another " +
			"program that keeps the controller or its gateway busy."}
	SlaveOtherID = Kind{Code: "slave_transaction_id", Severity: Fault, Effect: Lost, Href: pageSlave,
		VisibleAfter: soon, DependsOn: deadLine(), Title: "{name} answers with another transaction id",
		Remedy: "Set transaction_id: ignore for the line if the device always does this. If not, another program's " +
			"replies come here: end that program."}
	SlaveOtherUnit = Kind{Code: "slave_other_unit", Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "Another unit answers in the place of {name}",
		Remedy: "Correct the unit id of the slave: the error names the unit that answered."}
	SlaveOtherLength = Kind{Code: "slave_wrong_length", Severity: Fault, Effect: Lost, Href: pageSlave,
		VisibleAfter: soon, DependsOn: deadLine(), Title: "{name} answers with another length",
		Remedy: "The device sends another number of registers than it was asked for. A smaller max_registers of the " +
			"slave may help; else another program's replies come here, or the device is faulty."}
)

// Kinds returns the table of everything that can be wrong. It is in the order of causes: what may explain others comes
// before them.
func Kinds() []Kind {
	return []Kind{
		StoreInMemory, SamplesLost, StoreRecovered, ClockUnset, ConfigRefused, IntegrationsFile,
		ConfigRestart,
		LinePortMissing, LinePortDenied, LinePortBusy, LineDown, GatewayRefuses, GatewayAway, GatewayFails,
		LineShared, GatewayShared, LineCollides, LineOverrun,
		SlaveNoReply, UnitNoReply, SlaveDamaged, UnitDamaged, SlaveLate, SlaveOtherID, SlaveOtherUnit, SlaveOtherLength,
		SlaveRefusesAll, SlaveWrong, SlaveNoFamily, SlaveEmpty, SlaveRefuses, SlaveUnlisted, SlaveAlarm,
		SlaveNoIdentity,
		CloudNotSetUp, CloudNoCredentials, CloudNoPermission, CloudNoTopic, CloudWaiting, ClockWrong, CloudUnreachable,
		CloudRetrying, CloudDropped, OutboxFilling, CloudRefuses, CloudRejected, CloudSkewed, StoreKept,
	}
}
