package cli

import (
	"noi-agent/configs"
	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sns"
)

// costOf returns the bytes that messages of a shape cost at a cloud. cloud is the type of the integration.
func costOf(cloud string, shape sinks.Shape) sinks.Cost {
	if cloud == configs.GCP {
		return pubsub.Cost(shape)
	}
	return sns.Cost(shape)
}
