// Package packaging has the tests of what a gateway gets installed: the unit, the files of `make install`, and the
// packages. Its files are data and scripts:
//
//   - noi-agent.service, noi-agent.sysusers, noi-agent.modules, 60-noi-agent.rules: what systemd and udev read
//   - install.sh: puts everything in its place; `make install`, the packages and the tarball use it
//   - nfpm.yaml, deb, rpm, alpine, openwrt: the packages, made by tools/packages.sh
//   - cloud: templates for topic, publisher and consumer
package packaging
