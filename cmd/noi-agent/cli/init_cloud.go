package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"noi-agent/agent/integrations"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/sinks"
	"noi-agent/status/wording"
)

// cloudNone is the answer for a configuration without an integration.
const cloudNone = "none"

// askCloud asks where samples go, and with which credentials.
func (iv *interview) askCloud(ctx context.Context) error {
	d := &iv.draft
	proposal := configs.AWS
	if strings.HasPrefix(*iv.flags["topic"], "projects/") {
		proposal = configs.GCP
	}
	if !iv.given("topic") || iv.given("cloud") {
		iv.heading("Cloud")
		err := iv.ask(ctx, "cloud", "aws (SNS), gcp (Pub/Sub), or none", proposal, func(word string) error {
			_, err := choice{words: []string{configs.AWS, configs.GCP, cloudNone}}.word(word)
			proposal = word
			return err
		})
		if err != nil {
			return err
		}
	}
	if proposal == cloudNone {
		return nil
	}
	d.in.Type = proposal
	if !iv.given("topic") {
		iv.say("%s", topicHelp(proposal))
	}
	err := iv.ask(ctx, "topic", "Topic", "", func(topic string) error {
		return d.try(iv.catalog, func(d *draft) { d.setTopic(topic) })
	})
	if err != nil {
		return err
	}
	return iv.askIntegration(ctx)
}

func topicHelp(cloud string) string {
	if cloud == configs.GCP {
		return "The topic in full: projects/PROJECT/topics/NAME. `noi-agent setup gcp` prints how to make one."
	}
	return "The ARN of the topic: arn:aws:sns:REGION:ACCOUNT:NAME. `noi-agent setup aws` prints how to make one."
}

// askIntegration asks for the name and the credentials of the integration.
func (iv *interview) askIntegration(ctx context.Context) error {
	d := &iv.draft
	d.in.Endpoint = iv.endpoint
	err := iv.ask(ctx, "name", "Name of the integration", setupName, func(name string) error {
		return d.try(iv.catalog, func(d *draft) { d.in.Name = name })
	})
	if err != nil {
		return err
	}
	if d.in.Type == configs.GCP {
		return iv.ask(ctx, "credentials-file", "Credentials file (Enter: the default places)", "",
			func(file string) error {
				return d.try(iv.catalog, func(d *draft) { d.in.CredentialsFile = absolute(file) })
			})
	}
	return iv.ask(ctx, "profile", "AWS profile (Enter: none)", "",
		func(profile string) error {
			return d.try(iv.catalog, func(d *draft) { d.in.Profile = profile })
		})
}

// askObjects asks which objects are sent.
func (iv *interview) askObjects(ctx context.Context) error {
	if !iv.draft.publishes() {
		return nil
	}
	proposal := iv.important()
	if iv.input != nil && !iv.given("objects") {
		iv.heading("Objects to send")
		iv.objectTable(proposal)
		iv.say("`noi-agent objects %s` lists all objects. The status page shows all values, also those not sent.",
			iv.draft.line.Slaves[0].Model)
	}
	return iv.ask(ctx, "objects", "Objects, with commas; or all", proposal, func(answer string) error {
		return iv.draft.try(iv.catalog, func(d *draft) { d.setObjects(answer) })
	})
}

// important returns the proposed objects: battery voltage, array current, charge state, and all faults and alarms.
func (iv *interview) important() string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, polled := range iv.draft.polled(iv.catalog) {
		has := map[string]bool{}
		for _, o := range polled {
			has[o.Object.Name] = true
		}
		for _, known := range [][]string{wording.BatteryVoltage(), wording.ArrayCurrent(), wording.ChargeState()} {
			if at := slices.IndexFunc(known, func(name string) bool { return has[name] }); at >= 0 {
				add(known[at])
			}
		}
		for _, o := range polled {
			if o.Object.Alarm {
				add(o.Object.Name)
			}
		}
	}
	return cmp.Or(strings.Join(names, ", "), "all")
}

// objectTable prints the proposed objects, with their meaning and their log intervals.
func (iv *interview) objectTable(proposal string) {
	names := strings.Split(proposal, ", ")
	t := &table{columns: []column{{name: "OBJECT"}, {name: "MEANING", least: 16}, {name: "LOG INTERVAL", right: true}}}
	seen := map[string]bool{}
	for _, polled := range iv.draft.polled(iv.catalog) {
		for _, o := range polled {
			if name := o.Object.Name; slices.Contains(names, name) && !seen[name] {
				seen[name] = true
				t.add(name, o.Object.About, wording.Duration(o.Interval.String()))
			}
		}
	}
	t.print(iv.screen, iv.look())
}

// askIntervals asks for the log intervals.
func (iv *interview) askIntervals(ctx context.Context) error {
	const usual = "as shown"
	if iv.input != nil && !iv.given("intervals") {
		iv.say("Log intervals: a time such as 5m for everything but faults and alarms, or OBJECT=TIME,OBJECT=TIME.")
	}
	return iv.ask(ctx, "intervals", "Log intervals", usual, func(answer string) error {
		if answer == usual {
			return nil
		}
		return iv.draft.takeIntervals(iv.catalog, answer)
	})
}

// takeIntervals reads a time, or OBJECT=TIME for some objects.
func (d *draft) takeIntervals(catalog *objects.Catalog, answer string) error {
	if every, err := time.ParseDuration(answer); err == nil {
		return d.try(catalog, func(d *draft) { d.every = every })
	}
	exact := map[string]time.Duration{}
	for part := range strings.SplitSeq(answer, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		every, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("want a time such as 5m, or OBJECT=TIME, not %q", strings.TrimSpace(part))
		}
		exact[name] = every
	}
	return d.try(catalog, func(d *draft) { maps.Copy(d.exact, exact) })
}

// test tests the integration and sends a test message, except with --no-test.
func (iv *interview) test(ctx context.Context) error {
	config, err := iv.draft.check(iv.catalog)
	if err != nil || iv.noTest || !iv.draft.publishes() {
		return nil // finish reports the error
	}
	iv.heading("Test")
	wanted, err := iv.yes(ctx, "Send a test message now?", true)
	if err != nil || !wanted {
		return err
	}
	in := &config.Integrations[0]
	device := deviceIDOf(config)
	sink, err := newSink(*in, device, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = sink.Close() }() // the results are in
	_, iv.tested = integrations.Trial(ctx, sink, integrations.TestMessage(iv.p.Now(), iv.p.Version, in.ID, device),
		func(s sinks.Step) { printStep(iv.screen, s, iv.look()) })
	if notice := otherUser(*in); notice != "" {
		iv.say("notice: %s", notice)
	}
	switch {
	case ctx.Err() != nil:
		return errors.New("stopped; nothing was written")
	case iv.tested:
		return nil
	case iv.input == nil:
		return failed(fmt.Errorf("%s cannot publish; nothing was written", in.Name),
			"noi-agent init --no-test …     (writes the file without a test)")
	}
	write, err := iv.yes(ctx, "The test failed. Write the configuration all the same?", true)
	if err == nil && !write {
		err = failed(errors.New("nothing was written"), "noi-agent setup "+in.Type)
	}
	return err
}

// heading prints the heading of a part of the questions.
func (iv *interview) heading(text string) {
	if iv.input != nil {
		iv.say("\n%s:", text)
	}
}
