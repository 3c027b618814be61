#!/bin/sh
# Installs or removes the files of the agent. `make install`, the packages and the tarball all use it.
#
#   sh packaging/install.sh install|uninstall
#
# DESTDIR=DIR  puts everything below DIR, and creates no user; default: the running system
# PREFIX=/usr  is where programs, manual and documents go
# BIN=bin      has the programs
set -eu
umask 022
cd "$(dirname "$0")/.."
destdir=${DESTDIR:-} prefix=${PREFIX:-/usr} bin=${BIN:-bin}
root=$destdir$prefix
doc=$root/share/doc/noi-agent

# A running program cannot be overwritten: the new file gets its name by a rename.
put() { # mode, source, target
	mkdir -p "${3%/*}"
	cp "$2" "$3.new"
	chmod "$1" "$3.new"
	mv -f "$3.new" "$3"
}

programs() {
	put 0755 "$bin/noi-agent" "$root/bin/noi-agent"
	put 0755 "$bin/noi-sim" "$root/bin/noi-sim"
}

# The paths that systemd and udev read do not follow PREFIX: a unit for /usr/local would have to be in /etc, which belongs to the site.
system() {
	lib=$destdir/usr/lib
	mkdir -p "$lib/systemd/system"
	sed "s|=/usr/bin/noi-agent|=$prefix/bin/noi-agent|; s|/usr/share/doc|$prefix/share/doc|" packaging/noi-agent.service \
		>"$lib/systemd/system/noi-agent.service"
	chmod 0644 "$lib/systemd/system/noi-agent.service"
	put 0644 packaging/noi-agent.sysusers "$lib/sysusers.d/noi-agent.conf"
	put 0644 packaging/noi-agent.modules "$lib/modules-load.d/noi-agent.conf"
	put 0644 packaging/60-noi-agent.rules "$lib/udev/rules.d/60-noi-agent.rules"
}

manual() {
	for page in packaging/man/*.[1-8]; do
		section=${page##*.}
		put 0644 "$page" "$root/share/man/man$section/${page##*/}"
		gzip -9nf "$root/share/man/man$section/${page##*/}"
	done
	put 0644 packaging/completions/noi-agent.bash "$root/share/bash-completion/completions/noi-agent"
	put 0644 packaging/completions/noi-agent.zsh "$root/share/zsh/vendor-completions/_noi-agent"
	put 0644 packaging/completions/noi-agent.fish "$root/share/fish/vendor_completions.d/noi-agent.fish"
}

# The documents have the same directories as in the sources, so that their links work.
documents() {
	mkdir -p "$doc"
	tar cf - README.md docs packaging/cloud configs/*.yaml | tar xof - -C "$doc"
	find "$doc" -type d -exec chmod 0755 {} + -o -name '*.sh' -exec chmod 0755 {} + -o -exec chmod 0644 {} +
	put 0644 CHANGELOG.md "$doc/changelog"
	gzip -9nf "$doc/changelog"
	put 0644 configs/noi-agent.yaml "$root/share/noi-agent/config.yaml.example"
}

# The parts of the running system: the user, and the directory of the configuration. An existing directory is not changed.
# With the set-group-id bit new files belong to the group noi-agent, so the daemon can read them and other users cannot.
settle() {
	systemd-sysusers noi-agent.conf
	if [ ! -d /etc/noi-agent ]; then
		install -d -m 2750 -o root -g noi-agent /etc/noi-agent /etc/noi-agent/families.d
	fi
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload
		udevadm control --reload 2>/dev/null || true
		systemctl try-restart noi-agent.service
	fi
}

next() {
	if [ -e /etc/noi-agent/config.yaml ]; then
		echo "Installed. A running service was restarted: systemctl status noi-agent"
	else
		echo "Installed. Next: sudo noi-agent init, which makes /etc/noi-agent/config.yaml,"
		echo "then: sudo systemctl enable --now noi-agent"
	fi
}

uninstall() {
	if [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
		systemctl disable --now noi-agent.service || true
	fi
	rm -f "$root/bin/noi-agent" "$root/bin/noi-sim" "$destdir/usr/lib/systemd/system/noi-agent.service" \
		"$destdir/usr/lib/sysusers.d/noi-agent.conf" "$destdir/usr/lib/modules-load.d/noi-agent.conf" \
		"$destdir/usr/lib/udev/rules.d/60-noi-agent.rules" "$root/share/bash-completion/completions/noi-agent" \
		"$root/share/zsh/vendor-completions/_noi-agent" "$root/share/fish/vendor_completions.d/noi-agent.fish"
	rm -f "$root"/share/man/man[1-8]/noi-agent*.gz "$root"/share/man/man[1-8]/noi-sim*.gz
	rm -rf "$doc" "$root/share/noi-agent"
	echo "Removed. Kept: $destdir/etc/noi-agent (configuration), $destdir/var/lib/noi-agent (samples), the user noi-agent."
}

case ${1:-} in
install)
	programs
	system
	manual
	documents
	if [ -z "$destdir" ]; then settle && next; fi
	;;
uninstall) uninstall ;;
*)
	echo "usage: [DESTDIR=DIR] [PREFIX=/usr] [BIN=bin] sh packaging/install.sh install|uninstall" >&2
	exit 2
	;;
esac
