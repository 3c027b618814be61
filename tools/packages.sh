#!/usr/bin/env bash
# make packages: deb, rpm, apk, ipk and a tarball for each architecture, SHA256SUMS, a CycloneDX list and the licences, all in
# dist/. Equal sources make equal files, in any directory. ARCHES="amd64 mipsle" makes only these.
set -euo pipefail
cd "$(dirname "$0")/.."

# PACKAGE_MAINTAINER is the name and address of the person who builds the packages.
export PACKAGE_MAINTAINER=${PACKAGE_MAINTAINER:-NOI agent maintainers <noi-agent@example.org>}
version=${PACKAGE_VERSION:-$(bash tools/version.sh)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C GOFLAGS=-mod=readonly
umask 022
dist=$PWD/dist
work=$dist/build
rm -rf "$dist"
mkdir -p "$work" bin/tools
say() { printf '== %s (%ds)\n' "$*" "$SECONDS"; }

# name, Go's variables, architecture of nfpm (its own names of the packages follow), of OpenWrt; "-": no such package.
# arm is built for ARMv6 and runs on newer processors too. Debian's name for it is armhf.
architectures() {
	cat <<'END'
amd64   GOARCH=amd64                 amd64    x86_64
arm64   GOARCH=arm64                 arm64    aarch64_generic
armhf   GOARCH=arm,GOARM=6           arm6     arm_cortex-a7_neon-vfpv4
riscv64 GOARCH=riscv64               riscv64  riscv64_riscv64
mipsle  GOARCH=mipsle,GOMIPS=softfloat -      mipsel_24kc
END
}

programs() { # name, Go's variables
	say "build $1"
	local variables
	IFS=, read -ra variables <<<"$2"
	env CGO_ENABLED=0 GOOS=linux "${variables[@]}" make --no-print-directory build VERSION="$version" \
		BUILT="$SOURCE_DATE_EPOCH" BIN="$work/$1/bin"
}

# All files get the time of the commit, because nfpm writes the times of the files into the packages.
settle() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# An apk also has the times of the scripts.
settle packaging/alpine

tree() { # name
	local tree=$work/tree doc=$work/tree/usr/share/doc/noi-agent
	rm -rf "$tree"
	DESTDIR=$tree BIN=$work/$1/bin sh packaging/install.sh install
	cp "$work/third-party-licences.txt" "$work/noi-agent.cdx.json" "$doc/"
	settle "$tree"
}

tarball() { # name
	local top=noi-agent-$version-linux-$1
	local dir=$work/$1/$top
	mkdir -p "$dir"
	cp -r "$work/$1/bin" packaging configs docs README.md CHANGELOG.md LICENSE VERSION "$dir/"
	find "$dir" -name '*.go' -delete
	rm -rf "$dir/configs/testdata" "$dir/packaging/testdata"
	cp "$work/third-party-licences.txt" "$work/noi-agent.cdx.json" "$dir/"
	settle "$dir"
	tar --sort=name --owner=0 --group=0 --numeric-owner --format=gnu --mode=u+rw,go+r,go-w -C "$work/$1" -cf - "$top" |
		gzip -9n >"$dist/noi-agent_${version}_linux_$1.tar.gz"
}

package() { # format, architecture
	[ "$2" != - ] || return 0
	PACKAGE_ARCH=$2 PACKAGE_VERSION=$version bin/tools/nfpm package --config packaging/nfpm.yaml --packager "$1" --target "$dist/" >"$work/nfpm.log" 2>&1 ||
		{ cat "$work/nfpm.log"; return 1; }
}

# Debian requires a changelog in its own format. Its only entry refers to CHANGELOG.md in the same directory.
changelog() {
	cat >"$work/changelog.yaml" <<END
- semver: $version
  date: $(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
  packager: $PACKAGE_MAINTAINER
  deb: {urgency: medium, distributions: [stable]}
  changes:
    - note: "Version $version: see changelog.gz in this directory."
END
}

say "nfpm and the list of modules"
(cd tools && CGO_ENABLED=0 go build -trimpath -o ../bin/tools/nfpm github.com/goreleaser/nfpm/v2/cmd/nfpm && CGO_ENABLED=0 go build -o ../bin/tools/sbom ./sbom)
changelog
wanted=" ${ARCHES:-amd64 arm64 armhf riscv64 mipsle} "
first=
while read -r name env arch openwrt; do
	case $wanted in *" $name "*) ;; *) continue ;; esac
	programs "$name" "$env"
	first=${first:-$name}
	[ "$first" != "$name" ] || bin/tools/sbom -version "$version" -time "$SOURCE_DATE_EPOCH" -cyclonedx "$work/noi-agent.cdx.json" \
		-licences "$work/third-party-licences.txt" "$work/$name/bin/noi-agent" "$work/$name/bin/noi-sim"
	tree "$name"
	say "pack $name"
	tarball "$name"
	for format in deb rpm apk; do package "$format" "$arch"; done
	package ipk "$openwrt"
done < <(architectures)
cp "$work/noi-agent.cdx.json" "$dist/noi-agent_${version}.cdx.json"
cp "$work/third-party-licences.txt" "$dist/"
rm -rf "$work"
(cd "$dist" && sha256sum ./*.* | sed 's|\./||' >SHA256SUMS)
say "done"
(cd "$dist" && ls -l)
