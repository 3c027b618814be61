#!/usr/bin/env bash
# make test-packages: tests the packages in the way in which a gateway installs them. Needs root, and about ten minutes, mostly for builds.
#   1. two builds in different directories are equal, byte for byte
#   2. lintian and rpm check the packages
#   3. the deb is installed, upgraded, removed and purged in a Debian system that boots (systemd-nspawn)
#   4. rpm installs, upgrades and removes the rpm; rpm, apk and ipk are unpacked and compared with the deb
#   5. the programs for ARM do the main job in an emulator
# NOI_ONLY=TestName runs only these tests on the packages that the last run built.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "make test-packages boots a system: run it as root"; exit 1; }
bash tools/debian.sh debian-packages-system.txt

if [ -z "${NOI_ONLY:-}" ]; then
	other=$(mktemp -d)
	trap 'rm -rf "$other"' EXIT
	[ -z "$(git status --porcelain)" ] || { echo "commit first: the second build is of a clone"; exit 1; }
	git clone -q . "$other"
	# two versions for the upgrade, then all architectures in two directories
	rm -rf bin/packages/0.0.1 bin/packages/0.0.2 # of an earlier run
	for version in 0.0.1 0.0.2; do
		ARCHES=amd64 PACKAGE_VERSION=$version make --no-print-directory packages
		mkdir -p bin/packages/$version
		cp dist/*_amd64.deb dist/*.x86_64.rpm bin/packages/$version/
	done
	make --no-print-directory packages
	make -C "$other" --no-print-directory packages >/dev/null
	diff -r dist "$other/dist"
	echo "two builds in different directories are equal"
	lintian --tag-display-limit 0 --allow-root --fail-on error,warning,info dist/*.deb
	for package in dist/*.rpm; do rpm --checksig --nosignature "$package"; done
	rm -rf bin/packages/all
	mkdir -p bin/packages/all
	cp dist/*.deb dist/*.rpm dist/*.apk dist/*.ipk bin/packages/all/
	for arch in arm64 armhf; do
		mkdir -p bin/packages/$arch
		dpkg-deb --fsys-tarfile dist/*_$arch.deb | tar -xOf - ./usr/bin/noi-agent >bin/packages/$arch/noi-agent
		chmod 0755 bin/packages/$arch/noi-agent
	done
fi
make --no-print-directory build

root=bin/packages/debian.tar
if [ ! -e "$root" ]; then # the directory gets its name only when it is complete
	mmdebstrap --variant=minbase --format=tar --include=systemd,systemd-sysv,dbus,udev,kmod,ca-certificates bookworm "$root.new"
	mv "$root.new" "$root"
fi
NOI_PACKAGES=1 go test -count=1 -v -timeout 30m -run "${NOI_ONLY:-TestPackage}" ./packaging
