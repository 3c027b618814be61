package cli

import (
	"context"
	"errors"

	"noi-agent/configs"
	"noi-agent/status/api"
)

// socket returns the path of the daemon's socket: --socket, otherwise status.socket of the configuration. Errors in
// other parts of the configuration do not matter.
func (cli *commandLine) socket() (string, error) {
	if cli.Socket != "" {
		return cli.Socket, nil
	}
	config, err := configs.LoadLenient(cli.Config)
	if err != nil {
		return "", err
	}
	if config.Status.Socket == "" {
		return "", errors.New("the configuration has no status.socket, over which this command asks the daemon")
	}
	return config.Status.Socket, nil
}

// ask sends a GET request to the daemon over its socket, and returns the JSON unchanged.
func (cli *commandLine) ask(ctx context.Context, path string) ([]byte, error) {
	socket, err := cli.socket()
	if err != nil {
		return nil, err
	}
	body, err := daemonSocket{socket, askLimit}.get(ctx, path)
	var refused *refusedError
	if errors.As(err, &refused) && path != "/api/v1/status" {
		if foreign := cli.foreign(ctx, refused); foreign != nil {
			return nil, foreign
		}
	}
	return body, err
}

// daemonStatus returns the status of the daemon.
func (cli *commandLine) daemonStatus(ctx context.Context) (s api.Status, err error) {
	body, err := cli.ask(ctx, "/api/v1/status")
	if err != nil {
		return s, err
	}
	return s, plainJSON(body, &s)
}

// idOf returns the id of the integration with this id or name in the daemon; "" for "". A text with the form of an id
// is returned unchanged, because the daemon knows a removed integration by its id for some time.
func (cli *commandLine) idOf(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	s, err := cli.daemonStatus(ctx)
	if err != nil {
		return "", err
	}
	return idIn(&s, name)
}

func idIn(s *api.Status, name string) (string, error) {
	config := &configs.Config{Integrations: make([]configs.Integration, len(s.Integrations))}
	for i := range s.Integrations {
		config.Integrations[i].ID, config.Integrations[i].Name = s.Integrations[i].ID, s.Integrations[i].Name
	}
	in, err := integrationOf(config, name)
	switch {
	case err == nil:
		return in.ID, nil
	case isID(name):
		return name, nil
	default:
		return "", err
	}
}
