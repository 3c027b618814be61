// Package configs has the configuration of the agent: its keys, their defaults, and every rule about them. The example
// files in this directory show each key with its unit and default.
//
// Promise: the agent can run a Config without errors. Names and patterns match objects that exist, topics are well
// formed, no two slaves of a line have the same unit id, and no two integrations have the same id. The package does not
// check whether ports, clouds and credentials are available: this may change every minute, and the daemon starts in any
// case. It looks at ports only to find two lines whose ports are the same device.
//
// Refused: everything that strictyaml refuses, and everything that could silently mean something else than its reader
// expects: unknown keys, a name that matches nothing, two patterns of equal length that match one object, a region that
// is not the topic's.
//
// Failure: all errors come at once. Each has the file, the line, the key path, and what to write instead:
//
//	config.yaml:12: lines[0].slaves[0].objects[1]: PSPWM has no object "adc_vbtrem"; did you mean adc_vbterm?
//
// A configuration that is allowed but unusual gives notices, see Config.Notices.
//
// In reading order:
//
//   - config.go, kinds.go, registers.go, form.go: the keys, with their defaults and units
//   - selection.go, pattern.go, slaveindex.go: which objects and slaves a configuration selects
//   - topic.go, port.go, gateway.go: topics; ports; two names of one device
//   - validate.go, validate_lines.go, validate_ports.go, validate_objects.go, validate_integrations.go,
//     validate_sending.go, validate_never.go, sharednames.go: the rules
//   - integrationsfile.go: the integrations that are made on the page
//
// Example:
//
//	catalog, err := objects.LoadCatalog()
//	config, err := configs.Load("/etc/noi-agent/config.yaml", catalog)
//	slave := &config.Lines[0].Slaves[0]
//	family, ok := slave.Family(catalog) // ok is false if the slave must be asked first
//	for _, p := range slave.Polled(family) {
//		fmt.Println(p.Object.Name, "every", p.Interval)
//	}
package configs
