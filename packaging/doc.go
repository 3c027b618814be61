// Package packaging has the tests of the installed files: the systemd unit, the files of `make install`, and the
// packages. Its own files are data and scripts:
//
//   - noi-agent.service, noi-agent.sysusers, noi-agent.modules, 60-noi-agent.rules: files for systemd and udev
//   - install.sh: puts every file in its place; `make install`, the packages and the tarball use it
//   - nfpm.yaml, deb, rpm, alpine, openwrt: the packages, made by tools/packages.sh
//   - cloud: templates for topic, publisher and consumer
package packaging
