package api

import "time"

// MismatchRemedy is the remedy of SlaveWrong.
const MismatchRemedy = "Correct `model` of the slave, or install a controller of this model. If the controller is " +
	"right and reports the product code of another type, set `model_check: ignore` of the slave."

// soon is how long a missing answer must last before it is shown as a problem: a lost request is repeated after one
// second, and again after five.
const soon = 10 * time.Second

// triedAgain is the end of the remedies of problems that an operator must fix before an integration can send.
const triedAgain = " Samples are kept. The agent tries again within five minutes, and at once after `noi-agent reload`."

// heardAgain is the end of the remedies of silent controllers.
const heardAgain = " The agent notices a repair within five minutes, and at once when `noi-agent scan` finds the " +
	"controller."

// Pages of the endpoint that show more.
const (
	pageLines        = "/system#lines"
	pageSlave        = "/values?unit={id}"
	pageIntegrations = "/integrations/{type}"
	pageFailures     = "/triggers?integration={id}&success=false"
	pageOutbox       = "/system#outbox"
	pageSystem       = "/system"
)

// deadLine returns the codes that explain all other problems of a line. deadSlave returns the codes that explain the
// other problems of a slave.
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
		Remedy: "Check the adapter, its cable, and the port in the configuration. The error gives the reason of " +
			"the system. The agent retries automatically."}
	LinePortMissing = Kind{Code: "line_port_missing", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The serial adapter of {name} was not found",
		Remedy: "Plug the adapter in, or correct `port` of the line. `noi-agent doctor` lists the ports of this " +
			"gateway. The agent retries automatically."}
	LinePortDenied = Kind{Code: "line_port_denied", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "No permission to open the port of {name}",
		Remedy: "Add the daemon's user to the group of the port, which the error names: `sudo usermod -aG dialout " +
			"noi-agent`. Then: `sudo systemctl restart noi-agent`."}
	LinePortBusy = Kind{Code: "line_port_busy", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "{holder} has the port of {name} open",
		Remedy: "Stop the other program. ModemManager opens every new USB adapter: `sudo systemctl disable " +
			"--now ModemManager`. `noi-agent doctor` looks for such programs. The agent retries automatically."}
	LineSilent = Kind{Code: "line_silent", Severity: Fault, Effect: Lost, Href: pageLines, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "No controller answers on {name}",
		Remedy: "All controllers of the line are silent, so one cause is likely. Check the wiring (A and B " +
			"swapped?), the adapter, the controllers' power, and baud rate and parity of the line." + heardAgain}
	LineGarbled = Kind{Code: "line_garbled", Severity: Fault, Effect: Lost, Href: pageLines, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "All replies on {name} arrive damaged",
		Remedy: "All controllers of the line are affected, so one cause is likely. Bytes arrive, so check baud rate " +
			"and parity of the line first: `sudo noi-agent doctor` tries others while the daemon is stopped. Then " +
			"check the cable's screen, ground and termination, and whether A and B are swapped." + heardAgain}
	LineShared = Kind{Code: "line_shared", Severity: Warning, Effect: Lost, Href: pageLines, DependsOn: deadLine(),
		Title: "Another master sends requests on {name}",
		Remedy: "A Modbus line may have only one master. Find the other program or device, and stop it. The agent " +
			"drops samples that may be answers to the other master."}
	LineCollides = Kind{Code: "line_collides", Severity: Warning, Effect: Lost, Href: pageLines, DependsOn: deadLine(),
		Title: "Collisions on {name}: another device transmits at the same time",
		Remedy: "Look for another master, a controller that answers too late, or a bus without biasing. The agent " +
			"sees the collisions in the echo of its requests."}
	LineNoisy = Kind{Code: "line_noisy", Severity: Warning, Effect: None, Href: pageLines,
		DependsOn: append(deadLine(), LineSilent.Code, LineGarbled.Code, LineShared.Code, LineCollides.Code),
		Title:     "1 reply in {n} from {name} arrives damaged",
		Remedy: "The agent repeats such a request. If samples are missing in spite of this, the detail has their " +
			"number. Check the cable's screen, ground and termination, and keep the cable away from inverters and " +
			"motors. A lower baud rate helps too. Behind a gateway, check its serial side."}
	LineUnanswered = Kind{Code: "line_unanswered", Severity: Warning, Effect: None, Href: pageLines,
		DependsOn: append(deadLine(), LineSilent.Code, LineGarbled.Code, LineShared.Code, LineCollides.Code),
		Title:     "1 request in {n} on {name} gets no reply",
		Remedy: "The agent repeats such a request. If samples are missing in spite of this, the detail has their " +
			"number. Look for a loose wire, a missing termination, or a controller that is sometimes without power. " +
			"If a controller is slow, set a longer `timeout` of the slave. The counters of each controller show " +
			"which one does not answer."}
	LineOverrun = Kind{Code: "line_overrun", Severity: Warning, Effect: Lost, Href: pageLines, DependsOn: deadLine(),
		Title:  "The line is too slow for the log intervals of {name}",
		Remedy: "Use longer log intervals, fewer objects or a higher baud rate."}
)

// The kinds of a slave.
var (
	SlaveNoReply = Kind{Code: "slave_silent", Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: append(deadLine(), LineSilent.Code, LineGarbled.Code), Title: "{name} does not answer",
		Remedy: "Check its power, the wiring (A and B swapped?), the unit id, and baud rate and parity of both ends." +
			heardAgain}
	SlaveDamaged = Kind{Code: "slave_garbled", Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: append(deadLine(), LineGarbled.Code), Title: "Replies from {name} arrive damaged",
		Remedy: "Check the cable's screen, ground and termination, baud rate and parity of both ends. Check that " +
			"no two controllers have the same unit id."}
	SlaveNoFamily = Kind{Code: "slave_model_unknown", Severity: Fault, Effect: Lost, Href: pageSlave,
		DependsOn: deadLine(), Title: "{name} answers, but its model is not known",
		Remedy: "Set `model` of the slave to its family. `noi-agent objects` lists the families."}
	SlaveNoIdentity = Kind{Code: "slave_not_identified", Severity: Notice, Effect: None, Href: pageSlave,
		DependsOn: append(deadSlave(), "slave_not_selected"), Title: "{name} does not identify itself",
		Remedy: "Its messages have the configured model instead. To give it another name, set `product_code` and " +
			"`firmware` of the slave."}
	SlaveUnnamed = Kind{Code: "slave_not_selected", Severity: Fault, Effect: Lost, Href: pageSlave,
		DependsOn: deadSlave(), Title: "{name} gives no product code, and an integration selects it by product code",
		Remedy: "Set `product_code` of the slave. Or list the slave as line/unit id in `slaves` of the integration."}
	SlaveWrong = Kind{Code: "slave_wrong_model", Severity: Fault, Effect: Lost, Href: pageSlave, DependsOn: deadLine(),
		Title: "{name} is of another family than the configured one", Remedy: MismatchRemedy}
	SlaveEmpty = Kind{Code: "slave_without_objects", Severity: Fault, Effect: Lost, Href: pageSlave,
		DependsOn: deadLine(), Title: "{name} has none of the listed objects",
		Remedy: "Correct `objects` of the slave. `noi-agent objects --family FAMILY` lists the objects of a family."}
	SlaveUnlisted = Kind{Code: "slave_code_unknown", Severity: Warning, Effect: None, Href: pageSlave,
		DependsOn: deadSlave(), Title: "{name} reports a product code that no family has",
		Remedy: "The agent samples it as configured. Compare some values with its display. If they are right, set " +
			"`model_check: ignore` of the slave. If not, correct `model`."}
	SlaveAlarm = Kind{Code: "controller_alarm", Severity: Warning, Effect: None, Href: pageSlave,
		DependsOn: deadSlave(), Title: "{name} reports {alarm}",
		Remedy: "The controller itself reports this. Its manual says what to do. The warning ends when the " +
			"controller no longer reports it."}
	SlaveRefusesAll = Kind{Code: "slave_refusing", Severity: Fault, Effect: Lost, Href: pageSlave,
		DependsOn: deadLine(), Title: "{name} refuses to be read",
		Remedy: "It answers every read with an exception, which the error names. Check the model and the objects " +
			"in the configuration, then restart the controller. The agent retries automatically."}
	SlaveRefuses = Kind{Code: "object_refused", Severity: Warning, Effect: Lost, Href: pageSlave,
		DependsOn: deadSlave(), Title: "{name} does not give some of the objects",
		Remedy: "If this model does not have these objects, remove them from `objects` of the slave. The detail " +
			"gives the kind of refusal."}
)

// The kinds of an integration.
var (
	CloudRetrying = Kind{Code: "integration_retrying", Severity: Warning, Effect: Delayed, Href: pageFailures,
		VisibleAfter: soon, Title: "{cloud} does not accept the messages of {name} now",
		Remedy: "The agent retries, keeps the samples, and sends them later. If the problem lasts, look at the " +
			"cloud's status page and its quotas."}
	CloudUnreachable = Kind{Code: "integration_unreachable", Severity: Warning, Effect: Delayed, Href: pageFailures,
		VisibleAfter: soon, Title: "No connection to {cloud} for {name}",
		Remedy: "Check the uplink: modem, SIM card, name server, firewall, proxy. `noi-agent publish-test {name}` " +
			"tests the connection step by step. Samples are kept, and sent when the connection is back."}
	CloudWaiting = Kind{Code: "integration_waiting", Severity: Fault, Effect: Delayed, Href: pageFailures,
		Title:  "{cloud} refuses messages for {name}",
		Remedy: "`sudo -u noi-agent -H noi-agent publish-test {name}` prints what to do." + triedAgain}
	CloudNoPermission = Kind{Code: "integration_no_permission", Severity: Fault, Effect: Delayed, Href: pageFailures,
		Title: "{cloud} refuses messages for {name}: no permission to publish",
		Remedy: "Allow the identity that the error names to publish to the topic: `noi-agent setup {type} {name}` " +
			"prints the policy. `sudo -u noi-agent -H noi-agent publish-test {name}` prints the command." + triedAgain}
	CloudNoTopic = Kind{Code: "integration_no_topic", Severity: Fault, Effect: Delayed, Href: pageFailures,
		Title: "The topic of {name} does not exist",
		Remedy: "Correct the topic of the integration, or create it: `noi-agent setup {type} {name}` prints the " +
			"command." + triedAgain}
	CloudNoCredentials = Kind{Code: "integration_no_credentials", Severity: Fault, Effect: Delayed, Href: pageFailures,
		Title: "{name} has no valid credentials",
		Remedy: "Give the daemon's user valid credentials: `noi-agent setup {type} {name}` prints the commands. " +
			"`sudo -u noi-agent -H noi-agent publish-test {name}` tests the credentials." + triedAgain}
	CloudNotSetUp = Kind{Code: "integration_setup", Severity: Fault, Effect: Delayed, Href: pageIntegrations,
		Title: "{name} is not set up: the gateway lacks what it needs to send",
		Remedy: "The detail names what is missing on this gateway. `sudo -u noi-agent -H noi-agent publish-test " +
			"{name}` prints what to do." + triedAgain}
	ClockWrong = Kind{Code: "clock_wrong", Severity: Fault, Effect: Delayed, Href: pageSystem, VisibleAfter: soon,
		DependsOn: []string{ClockUnset.Code},
		Title:     "The clock is wrong: {cloud} refuses the signature of {name}",
		Remedy: "Set the gateway's clock: `sudo timedatectl set-ntp true`. Then compare: `date -u`. Samples are " +
			"kept, and sent when the clock is right."}
	CloudRejected = Kind{Code: "dead_letters", Severity: Warning, Effect: Delayed, Href: pageOutbox,
		Title: "{messages} of {name} set aside",
		Remedy: "`noi-agent deadletters list` shows them with the cloud's reason. When the reason is fixed, " +
			"`noi-agent deadletters retry --all` sends them. `noi-agent deadletters drop --all` deletes them."}
	CloudRefuses = Kind{Code: "kinds_refused", Severity: Warning, Effect: Delayed, Href: pageFailures,
		Title: "The topic of {name} refuses samples of some kinds",
		Remedy: "Change the topic's schema so that it accepts them, or remove their objects from `objects` of the " +
			"integration. These samples become dead letters. From time to time the agent tries one. After the " +
			"topic has accepted one, new samples are sent again. `noi-agent deadletters retry --all` then sends the " +
			"dead letters."}
	CloudSkewed = Kind{Code: "clock_differs", Severity: Warning, Effect: None, Href: pageSystem,
		DependsOn: []string{ClockUnset.Code}, Title: "The gateway's clock differs from the clock of {cloud}",
		Remedy: "Set the gateway's clock: `sudo timedatectl set-ntp true`. Then compare: `date -u`. Samples are " +
			"published with wrong times until then."}
	OutboxFilling = Kind{Code: "outbox_filling", Severity: Warning, Effect: Delayed, Href: pageOutbox,
		DependsOn: []string{CloudDropped.Code}, Title: "Samples of {name} will be deleted, beginning on {day}",
		Remedy: "No sample is lost yet. Make the cloud accept samples again, or increase the limit that the detail " +
			"names: `buffer.max_size`, `buffer.max_age`, or the room on the disk."}
	CloudDropped = Kind{Code: "samples_dropped", Severity: Fault, Effect: Lost, Href: pageOutbox,
		Title: "Samples of {name} are deleted before the cloud has them",
		Remedy: "Make the cloud accept samples again, or increase `buffer.max_size` and `buffer.max_age`. " +
			"`noi-agent gaps` lists the missing samples."}
)

// The kinds of the agent, its clock, its store and its configuration.
var (
	SamplesLost = Kind{Code: "samples_lost", Severity: Fault, Effect: Lost, Href: pageOutbox,
		Title:  "Samples from {name} were read but could not be kept",
		Remedy: "The disk is too slow. Check whether it fails, and which other programs write to it."}
	ClockUnset = Kind{Code: "clock_unset", Severity: Warning, Effect: Delayed, Href: pageSystem,
		Title: "The gateway's clock is not known to be right",
		Remedy: "Samples are kept, and their time is corrected once the clock is right. Let the gateway reach a " +
			"time server, or set its clock (`sudo date -u -s …`). If the clock is right, but before the last good " +
			"time, set `clock.source: system` for one start."}
	StoreRecovered = Kind{Code: "store_recovered", Severity: Warning, Effect: Lost, Href: pageOutbox,
		Title: "The store could not be used and was replaced",
		Remedy: "Nothing needs to be done now. Check the disk or card, and the power supply: a fault there can " +
			"damage files. The old file is kept. Delete it if you do not need it. `noi-agent gaps ack` ends the " +
			"warning."}
	StoreInMemory = Kind{Code: "store_in_memory", Severity: Fault, Effect: Lost, Href: pageOutbox,
		Title: "The disk fails, and samples are kept in memory only",
		Remedy: "Replace the disk or card. The agent tests it every 20 minutes. When the disk works again and the " +
			"outbox in memory is empty, the agent restarts and uses the disk. A power cut deletes the outbox in " +
			"memory."}
	ConfigRefused = Kind{Code: "config_refused", Severity: Warning, Effect: None, Href: pageSystem,
		Title: "The configuration file is not valid; the previous one is in use",
		Remedy: "Correct the lines that the detail names; `noi-agent check` shows every fault. Then: `sudo " +
			"systemctl reload noi-agent`."}
	IntegrationsFile = Kind{Code: "integrations_file", Severity: Warning, Effect: None, Href: pageSystem,
		Title: "The file integrations.yaml has errors and is not used",
		Remedy: "Correct the lines that the detail names; `noi-agent check` shows every fault. Then: `sudo " +
			"systemctl reload noi-agent`. Until then no integration can be changed on the page. The previous " +
			"version of the file is integrations.yaml.previous."}
	ConfigRestart = Kind{Code: "restart_needed", Severity: Warning, Effect: None, Href: pageSystem,
		Title: "A change of the configuration needs a restart",
		Remedy: "Run: `sudo systemctl restart noi-agent`. Or undo the change, then: `sudo systemctl reload " +
			"noi-agent`."}
	StoreKept = Kind{Code: "store_kept_aside", Severity: Notice, Effect: None, Href: pageOutbox,
		Title:  "A store that was replaced at an earlier start is kept",
		Remedy: "Delete the files if you do not need them; the notice ends at the next start."}
)

// The kinds of a line that is reached over the network, and of replies that are not the answer. No text here mentions
// the wires of this computer. GatewaySilent, GatewayShared, UnitNoReply and UnitDamaged have the codes of the same
// problems of a serial line, because alert rules use codes.
var (
	GatewayRefuses = Kind{Code: "gateway_refuses", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The gateway {name} refuses connections",
		Remedy: "Check the port number, and that Modbus is switched on in the gateway and open to this machine. " +
			"Many gateways serve only one or two clients: stop the other program. The agent retries automatically."}
	GatewayAway = Kind{Code: "gateway_unreachable", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The gateway {name} cannot be reached",
		Remedy: "Check the gateway's power and network cable, and its address in the configuration. The agent " +
			"retries automatically."}
	GatewayFails = Kind{Code: "gateway_fails", Severity: Fault, Effect: Lost, Href: pageLines,
		Title: "The connection to the gateway {name} fails",
		Remedy: "The error gives the reason. Check that the gateway's port uses the configured protocol: tcp:// is " +
			"Modbus TCP, rtu+tcp:// is RTU frames. The agent retries automatically."}
	GatewaySilent = Kind{Code: LineSilent.Code, Severity: Fault, Effect: Lost, Href: pageLines, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "No controller answers behind the gateway {name}",
		Remedy: "The connection to the gateway is open, and all controllers behind it are silent, so one cause is " +
			"likely. Check the gateway's serial side: the wiring, the controllers' power, and baud rate and parity " +
			"in the gateway's own settings." + heardAgain}
	GatewayShared = Kind{Code: LineShared.Code, Severity: Warning, Effect: Lost, Href: pageLines,
		DependsOn: deadLine(), Title: "Another program uses the gateway {name}",
		Remedy: "The gateway sends replies for another program to the agent too. The agent drops values that may " +
			"be for the other program. Stop the other program, or set the gateway to separate its clients."}
	UnitNoReply = Kind{Code: SlaveNoReply.Code, Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: SlaveNoReply.DependsOn, Title: "{name} does not answer behind its gateway",
		Remedy: "Check the unit id, the controller's power, and the gateway's own status: the gateway may have " +
			"lost the controller, or may serve another client. If the controller is slow, set a longer `timeout` " +
			"of the slave." + heardAgain}
	UnitDamaged = Kind{Code: SlaveDamaged.Code, Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: SlaveDamaged.DependsOn, Title: "The gateway sends replies of {name} that are not valid",
		Remedy: "Check that the gateway's mode fits the configuration (tcp:// or rtu+tcp://). Check that no two " +
			"controllers have the same unit id."}
	SlaveLate = Kind{Code: "slave_late", Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "{name} answers too late",
		Remedy: "Set `timeout` of the slave to more than the time in the error. If the problem is new, look for " +
			"another program that keeps the controller or its gateway busy."}
	SlaveOtherID = Kind{Code: "slave_transaction_id", Severity: Fault, Effect: Lost, Href: pageSlave,
		VisibleAfter: soon, DependsOn: deadLine(), Title: "{name} answers with another transaction id",
		Remedy: "If the device always does this, set `transaction_id: ignore` of the line. If not, the replies are " +
			"for another program: stop that program."}
	SlaveOtherUnit = Kind{Code: "slave_other_unit", Severity: Fault, Effect: Lost, Href: pageSlave, VisibleAfter: soon,
		DependsOn: deadLine(), Title: "Another unit answers in the place of {name}",
		Remedy: "Correct the unit id of the slave: the error names the unit that answered."}
	SlaveOtherLength = Kind{Code: "slave_wrong_length", Severity: Fault, Effect: Lost, Href: pageSlave,
		VisibleAfter: soon, DependsOn: deadLine(), Title: "{name} answers with another length",
		Remedy: "The device sends another number of registers than the agent has requested. Try a smaller " +
			"`max_registers` of the slave. If this does not help, the replies are for another program, or the " +
			"device is faulty."}
)

// Kinds returns the table of all kinds of problems. A kind that explains others comes before them.
func Kinds() []Kind {
	return []Kind{
		StoreInMemory, SamplesLost, StoreRecovered, ClockUnset, ConfigRefused, IntegrationsFile,
		ConfigRestart,
		LinePortMissing, LinePortDenied, LinePortBusy, LineDown, GatewayRefuses, GatewayAway, GatewayFails,
		LineSilent, GatewaySilent, LineGarbled, LineShared, GatewayShared, LineCollides, LineNoisy, LineUnanswered,
		LineOverrun,
		SlaveNoReply, UnitNoReply, SlaveDamaged, UnitDamaged, SlaveLate, SlaveOtherID, SlaveOtherUnit, SlaveOtherLength,
		SlaveRefusesAll, SlaveWrong, SlaveNoFamily, SlaveEmpty, SlaveRefuses, SlaveUnlisted, SlaveAlarm,
		SlaveUnnamed, SlaveNoIdentity,
		CloudNotSetUp, CloudNoCredentials, CloudNoPermission, CloudNoTopic, CloudWaiting, ClockWrong, CloudUnreachable,
		CloudRetrying, CloudDropped, OutboxFilling, CloudRefuses, CloudRejected, CloudSkewed, StoreKept,
	}
}
