// Package configs is the configuration of the agent: its keys, their defaults, and every rule
// about them. The example files beside it show each key with its unit and default.
//
// It promises that a Config without faults can be run: names and patterns match objects that
// exist, topics are well formed, no two slaves share a unit id and no two integrations an id.
// Whether ports, clouds and credentials are there is not its business; that may change every
// minute, and the daemon starts regardless. It looks at ports for one thing only: two names of one
// device, which two lines must not have.
//
// It refuses what strictyaml refuses, and everything that could silently do something else than
// what is read: unknown keys, a name that matches nothing, two patterns of one length on one
// object, a region that is not the topic's, a status address that others can reach.
//
// It fails with all faults at once, each with file, line, key path and the way out:
//
//	config.yaml:12: lines[0].slaves[0].objects[1]: PSPWM has no object "adc_vbtrem"; did you mean adc_vbterm?
//
// What is allowed but deserves a look is a notice, see Config.Notices.
//
//	catalog, err := objects.LoadCatalog()
//	config, err := configs.Load("/etc/noi-agent/config.yaml", catalog)
//	slave := &config.Lines[0].Slaves[0]
//	family, ok := slave.Family(catalog) // not known before an `auto` slave has said who it is
//	for _, p := range slave.Polled(family) {
//		fmt.Println(p.Object.Name, "every", p.Interval)
//	}
package configs
