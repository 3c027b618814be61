package cli

import (
	"noi-agent/configs"
	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sns"
)

// costOf returns what messages of a shape cost at a cloud, by the type of an integration.
func costOf(cloud string, shape sinks.Shape) sinks.Cost {
	if cloud == configs.GCP {
		return pubsub.Cost(shape)
	}
	return sns.Cost(shape)
}
