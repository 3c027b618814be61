package agent

import "time"

// Severity says how much a problem matters.
type Severity string

// The severities: a fault stops data, a warning may, a notice is worth knowing.
const (
	Fault   Severity = "fault"
	Warning Severity = "warning"
	Notice  Severity = "notice"
)

// Effect says what a problem does to the data.
type Effect string

// The effects.
const (
	None    Effect = "none"
	Delayed Effect = "delayed"
	Lost    Effect = "lost"
)

// Kind is one thing that can be wrong. The table of kinds is the one list of problems; status, page and
// logs all read it.
type Kind struct {
	Code     string
	Severity Severity
	Title    string
	Effect   Effect
	Remedy   string
}

// The kinds, by what they concern: line, slave, integration, agent.
var (
	lineDown = Kind{"line_down", Fault, "The serial line cannot be used", Lost,
		"Check the adapter and its cable, and the port in the configuration; the error says what the system refused. The agent retries automatically."}
	slaveNoReply = Kind{"slave_silent", Fault, "A controller does not answer", Lost,
		"Check its power, the wiring (A and B swapped?), the unit id, and baud rate and parity of both ends."}
	slaveDamaged = Kind{"slave_garbled", Warning, "A controller's replies arrive damaged", Lost,
		"Check the cable's screen, ground and termination, baud rate and parity of both ends, and that no two controllers have one unit id."}
	lineShared = Kind{"line_shared", Warning, "Another master is asking on the line", Lost,
		"A Modbus line has one master: find the other program or device and stop it. Samples that might be answers to it are dropped."}
	lineCollides = Kind{"line_collides", Warning, "Collisions: another device transmits at the same time", Lost,
		"Look for another master, a controller that answers too late, or a bus without biasing. The echo of the requests shows it."}
	slaveNoFamily = Kind{"slave_model_unknown", Fault, "A controller answers, but its model is not known", Lost,
		"Name a family as its model; `noi-agent objects` lists them."}
	slaveNoIdentity = Kind{"slave_not_identified", Notice, "The controller does not identify itself", None,
		"Samples carry the configured model instead. Set product_code and firmware of the slave to name it yourself."}
	slaveWrong = Kind{"slave_wrong_model", Fault, "A controller is of another family than the configuration says", Lost, MismatchRemedy}
	slaveEmpty = Kind{"slave_without_objects", Fault, "A controller has none of the listed objects", Lost,
		"Correct `objects` of the slave; `noi-agent objects --family FAMILY` lists what a family has."}
	slaveUnlisted = Kind{"slave_code_unknown", Warning, "A controller reports a product code that no family has", None,
		"It is sampled as configured. Compare some values with its display. If they are right, set model_check: ignore for the slave; else correct its model."}
	slaveAlarm = Kind{"controller_alarm", Warning, "A controller reports a fault or an alarm", None,
		"The controller has found this itself: its manual says what to do. The warning ends when the controller no longer reports it."}
	slaveRefusesAll = Kind{"slave_refusing", Fault, "A controller refuses to be read", Lost,
		"It answers every read with an exception; the error names it. Check the model and the objects in the configuration, then restart the controller. The agent retries automatically."}
	slaveRefuses = Kind{"object_refused", Warning, "A controller does not give some of the objects", Lost,
		"Take them out of the slave's objects if this model does not have them. The detail says how it refuses them."}
	lineOverrun = Kind{"line_overrun", Warning, "The line is too slow for the log intervals", Lost,
		"Use longer log intervals, fewer objects or a higher baud rate."}
	cloudRetrying = Kind{"integration_retrying", Warning, "A cloud cannot be reached", Delayed,
		"Check the uplink. Samples are kept and sent when it is back."}
	cloudWaiting = Kind{"integration_waiting", Fault, "Sending stopped: credentials, permission or topic must be fixed", Delayed,
		"`sudo -u noi-agent -H noi-agent publish-test ID` prints what to do. Samples are kept. They are tried again within five minutes, and at once after systemctl reload noi-agent."}
	cloudNotSetUp = Kind{"integration_setup", Fault, "An integration is not set up: the gateway lacks what it needs to send", Delayed,
		"No cloud has refused anything: the detail names what is missing on this gateway, and `sudo -u noi-agent -H noi-agent publish-test ID` prints what to do. Samples are kept. They are tried again within five minutes, " +
			"and at once after systemctl reload noi-agent."}
	cloudRejected = Kind{"dead_letters", Warning, "A cloud has rejected samples", Delayed,
		"They are set aside: `noi-agent deadletters list` shows them with the cloud's reason. When the reason is fixed, `noi-agent deadletters retry` sends them; `drop` deletes them."}
	cloudRefuses = Kind{"kinds_refused", Warning, "A topic refuses samples of some kinds", Delayed,
		"Let the topic's schema take them, or take their objects out of the integration's objects. They are set aside as dead letters, and one is tried now and then; " +
			"when the topic accepts it, new samples are sent again, and `noi-agent deadletters retry` sends the others."}
	cloudSkewed = Kind{"clock_differs", Warning, "The gateway's clock is away from a cloud's", None,
		"Set the gateway's clock: timedatectl set-ntp true; then compare: date -u. Samples are published, with times of a clock that is wrong."}
	cloudDropped = Kind{"samples_dropped", Fault, "Outbox full: oldest samples were deleted", Lost,
		"Bring the cloud back, or raise buffer.max_size and buffer.max_age."}
	samplesLost = Kind{"samples_lost", Fault, "Samples were read but could not be kept", Lost,
		"The disk does not keep up: check its health and which other programs write to it."}
	clockUnset = Kind{"clock_unset", Warning, "The gateway's clock is not known to be right", Delayed,
		"Samples are kept, and their time is corrected once the clock is right. Let the gateway reach a time server, or set its clock (date -u -s …). If the clock is right and only lies " +
			"before the last good time, set clock.source to system for one start."}
	storeRecovered = Kind{"store_recovered", Warning, "The store could not be used and was replaced", Lost,
		"Nothing needs to be done now. Check the disk or card and the power supply: they spoil files. The old file is kept; delete it if you do not need it."}
	storeInMemory = Kind{"store_in_memory", Fault, "The disk fails, and samples are kept in memory only", Lost,
		"Replace the disk or card. It is probed every 20 minutes. When it works again and nothing waits in memory any more, the agent restarts and uses it. A power cut loses what is in memory."}
	configRefused = Kind{"config_refused", Warning, "The changed configuration is faulty and not in force", None,
		"Correct the lines that the detail names; `noi-agent check` shows every fault. Then: systemctl reload noi-agent."}
	configRestart = Kind{"restart_needed", Warning, "A change of the configuration needs a restart", None,
		"systemctl restart noi-agent, or undo the change and reload."}
	storeKept = Kind{"store_kept_aside", Notice, "A store that was replaced at an earlier start is kept", None,
		"Delete the files if you do not need them; the notice ends at the next start."}
)

// Kinds returns the table of everything that can be wrong.
func Kinds() []Kind {
	return append([]Kind{
		lineDown, lineShared, lineCollides, slaveNoReply, slaveDamaged, slaveRefusesAll, slaveNoFamily, slaveNoIdentity, slaveWrong,
		slaveEmpty, slaveUnlisted, slaveAlarm, slaveRefuses, lineOverrun,
		cloudRetrying, cloudWaiting, cloudNotSetUp, cloudRejected, cloudRefuses, cloudSkewed, cloudDropped, samplesLost, clockUnset, storeRecovered, storeInMemory, storeKept,
		configRefused, configRestart,
	}, networkKinds()...)
}

// Problem is one kind that is the case now.
type Problem struct {
	Code     string    `json:"code"`
	Severity Severity  `json:"severity"`
	Subject  string    `json:"subject"` // "rs485", "rs485/1", an integration's id, "agent"
	Since    time.Time `json:"since"`   // wall time
	Title    string    `json:"title"`
	Detail   string    `json:"detail"` // the case at hand, with the error
	Effect   Effect    `json:"effect"`
	Remedy   string    `json:"remedy"`
}

// of makes a problem of the kind.
func (k Kind) of(subject string, since time.Time, detail string) Problem {
	return Problem{
		Code: k.Code, Severity: k.Severity, Subject: subject, Since: since.UTC().Truncate(time.Second),
		Title: k.Title, Detail: detail, Effect: k.Effect, Remedy: k.Remedy,
	}
}
