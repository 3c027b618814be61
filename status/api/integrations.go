package api

// IntegrationConfig is the configuration of one integration, by the keys of the configuration file. A client can send
// back what it has read. Keys without a meaning for the type or with the other keys are left out, and so are `region`
// and `project_id`, which are part of the topic. Durations are texts as in the file, "10s".
type IntegrationConfig struct {
	ID      string   `json:"id,omitempty"`   // 20 letters and digits; a request may leave it out: the agent derives it
	Name    string   `json:"name,omitempty"` // a text of the operator; "": none
	Enabled bool     `json:"enabled"`        // false: paused; a request may leave it out: true
	Type    string   `json:"type"`           // aws | gcp
	Objects []string `json:"objects"`        // names and patterns; ["all"]; a request may have one text with commas
	// "line/unit id", names or product codes; ["all"]; a request may have one text with commas
	Slaves []string `json:"slaves"`

	TopicARN        string `json:"topic_arn,omitempty"`        // aws
	Region          string `json:"region,omitempty"`           // aws; in requests only, the same as in the ARN
	ProjectID       string `json:"project_id,omitempty"`       // gcp; in requests only: the project of a short topic
	Topic           string `json:"topic,omitempty"`            // gcp; in answers projects/PROJECT/topics/NAME
	Endpoint        string `json:"endpoint,omitempty"`         // "": the cloud's own
	CredentialsFile string `json:"credentials_file,omitempty"` // gcp; a path on the gateway, never its content
	Profile         string `json:"profile,omitempty"`          // aws
	RoleARN         string `json:"role_arn,omitempty"`         // aws
	ExternalID      string `json:"external_id,omitempty"`      // aws, with role_arn
	IMDS            bool   `json:"imds,omitempty"`             // aws
	IoT             *IoT   `json:"iot,omitempty"`              // aws; null: not used
	CAFile          string `json:"ca_file,omitempty"`          // a path on the gateway
	Ordering        bool   `json:"ordering,omitempty"`         // gcp

	Attributes   []string           `json:"attributes"`    // []: none
	PublishEvery string             `json:"publish_every"` // "0s": at once
	Pacing       string             `json:"pacing"`
	CatchUp      *CatchUp           `json:"catch_up,omitempty"`  // in every answer
	InFlight     int                `json:"in_flight,omitempty"` // 1 to 64, in every answer; a request without it: 16
	Gaps         bool               `json:"gaps"`
	When         string             `json:"when"`                // every | change
	Deadband     map[string]float64 `json:"deadband,omitempty"`  // with when: change
	Heartbeat    string             `json:"heartbeat,omitempty"` // with when: change; "0s": no heartbeat
	Envelope     string             `json:"envelope"`            // single | batch
	Compress     string             `json:"compress"`            // none | gzip
}

// IoT has the endpoint at which AWS IoT Core gives credentials for a device's certificate. Certificate and key are
// paths on the gateway.
type IoT struct {
	Endpoint    string `json:"endpoint"`
	RoleAlias   string `json:"role_alias"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	Thing       string `json:"thing,omitempty"`
}

// CatchUp has the settings for sending a backlog.
type CatchUp struct {
	Rate        int    `json:"rate"` // samples a second; 0: no limit
	AlarmsFirst bool   `json:"alarms_first"`
	Spread      string `json:"spread"` // "5m"
}

// Where an integration is configured.
const (
	SourceFile = "file" // in the configuration file, which must be edited to change it
	SourceAPI  = "api"  // on the page, over the API or with `noi-agent integrations`
)

// IntegrationEntry is one integration with its configuration, version, state and cost.
type IntegrationEntry struct {
	Config IntegrationConfig `json:"config"`
	ETag   string            `json:"etag"`   // strong, with quotes, for If-Match; "" if the entry is not saved
	Source string            `json:"source"` // file: in the configuration file; api: made on the page or over the API
	File   string            `json:"file"`   // path of the file with the integration
	Line   int               `json:"line"`   // in that file, from 1; 0: not known
	Locked bool              `json:"locked"` // it can only be changed in its file, which is read again at a reload
	State  *Integration      `json:"state"`  // as in the status; null: the integration is not active
	Cost   IntegrationCost   `json:"cost"`
}

// IntegrationCost is the predicted cost of an integration per day, from the log intervals, while its cloud accepts
// everything. With when: change it is the maximum. Slaves with model: auto are not counted. A paused integration has
// the figures of an active one.
type IntegrationCost struct {
	MessagesPerDay float64  `json:"messages_per_day"`
	BytesPerDay    float64  `json:"bytes_per_day"` // of uplink and downlink
	Objects        int      `json:"objects"`       // sent objects; an object of two controllers counts twice
	Slaves         int      `json:"slaves"`        // slaves of these objects
	Uncounted      []string `json:"uncounted"`     // "line/unit id" of the slaves with model: auto
}

// Integrations is the answer to GET /api/v1/integrations: first those of the configuration file, in its order.
type Integrations struct {
	Integrations []IntegrationEntry `json:"integrations"`
}

// IntegrationTest is the result of a test of an integration. It is not stored.
type IntegrationTest struct {
	IntegrationID string     `json:"integration_id"`
	Name          string     `json:"name"`
	Type          string     `json:"type"`
	Topic         string     `json:"topic"`
	OK            bool       `json:"ok"`
	MessageID     string     `json:"message_id"` // "" when none was sent, or it was refused
	Steps         []TestStep `json:"steps"`
	Notice        string     `json:"notice,omitempty"`
}

// TestStep is one check of the test.
type TestStep struct {
	// credentials, endpoint, identity (aws), topic, permission (gcp), message: in this order
	Name    string `json:"step"`
	Verdict string `json:"verdict"` // ok | FAILED | unknown | skipped
	Text    string `json:"text"`    // the finding, or the error in the cloud's words; one line, never a secret
	Remedy  string `json:"remedy"`  // the remedy, with commands; may have several lines; "" unless the step failed
}
