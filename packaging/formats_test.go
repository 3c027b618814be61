package packaging_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// only returns the path of the one file that matches a pattern below the directory of the packages.
func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(packages, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPackageFormatsHaveTheSameFiles compares the files of rpm, apk and ipk with the files of the deb: names,
// permissions and content. Debian has no apk and no opkg, so these packages are unpacked and not installed.
func TestPackageFormatsHaveTheSameFiles(t *testing.T) {
	onlyWithPackages(t)
	for deb, others := range map[string][]string{
		"amd64":   {".x86_64.rpm", "_x86_64.apk", "_x86_64.ipk"},
		"arm64":   {".aarch64.rpm", "_aarch64.apk", "_aarch64_generic.ipk"},
		"armhf":   {".armv6hl.rpm", "_armhf.apk", "_arm_cortex-a7_neon-vfpv4.ipk"},
		"riscv64": {".riscv64.rpm", "_riscv64.apk", "_riscv64_riscv64.ipk"},
	} {
		want := unpacked(t, only(t, "all/*_"+deb+".deb"))
		if len(want) < 50 {
			t.Fatalf("%s: the deb has %d files", deb, len(want))
		}
		for _, name := range others {
			if got := unpacked(t, only(t, "all/*"+name)); !slices.Equal(got, want) {
				t.Errorf("%s has other files than the deb:\n%s", name, differing(got, want))
			}
		}
	}
}

// unpack puts the files of a package into the working directory; $1 is the package.
var unpack = map[string]string{
	".deb": `dpkg-deb -x "$1" .`,
	".rpm": `rpm2archive -n - <"$1" | tar -xp`,
	".apk": `tar -xpzf "$1" && rm .PKGINFO .p*`, // its scripts are in the same archive as its files
	".ipk": `tar -xzOf "$1" ./data.tar.gz | tar -xpz`,
}

// ownFiles are the files that only one kind of package has, because only its system needs them.
var ownFiles = []string{
	"etc/init.d/noi-agent", "usr/share/doc/noi-agent/copyright", "usr/share/doc/noi-agent/changelog.Debian.gz",
	"usr/share/lintian/overrides/noi-agent",
}

// unpacked lists permissions, content and name of each file of a package, without the files that only its system
// needs.
func unpacked(t *testing.T, file string) (list []string) {
	t.Helper()
	root := t.TempDir()
	run(t, nil, "sh", "-c", `umask 0; cd "$2" && `+unpack[filepath.Ext(file)], "sh", file, root)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path) // no error: the file is below the directory
		if err == nil && !slices.Contains(ownFiles, name) {
			list = append(list, fmt.Sprintf("%v %x %s", info.Mode(), sha256.Sum256(data), name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// differing returns the entries that only one of two lists has.
func differing(got, want []string) string {
	var b strings.Builder
	for _, entry := range got {
		if !slices.Contains(want, entry) {
			fmt.Fprintln(&b, "+", entry)
		}
	}
	for _, entry := range want {
		if !slices.Contains(got, entry) {
			fmt.Fprintln(&b, "-", entry)
		}
	}
	return b.String()
}

// TestPackageRPMByRPM installs, upgrades and erases the rpm with rpm itself, in a root that is not booted.
func TestPackageRPMByRPM(t *testing.T) {
	onlyWithPackages(t)
	root := t.TempDir()
	run(t, nil, "tar", "-xpf", filepath.Join(packages, "debian.tar"), "-C", root)
	rpm := func(args ...string) string {
		// The root has the packages of dpkg, so rpm does not find its dependencies.
		return run(t, nil, append([]string{"rpm", "--force-debian", "--nodeps", "--root", root}, args...)...)
	}
	in := func(script string) string { return strings.TrimSpace(run(t, nil, "chroot", root, "sh", "-c", script)) }

	rpm("--install", only(t, "0.0.1/*.x86_64.rpm"))
	if got := in("noi-agent version"); !strings.HasPrefix(got, "noi-agent 0.0.1 ") {
		t.Errorf("installed packages: %q", got)
	}
	if got := in("stat -c '%a %U %G' /etc/noi-agent /etc/noi-agent/families.d"); got != "2750 root noi-agent\n2750 root noi-agent" {
		t.Errorf("directories of the configuration: %s", got)
	}
	if got := in("id -Gn noi-agent"); !strings.Contains(got, "dialout") {
		t.Errorf("the user is in the groups %s", got)
	}
	in("echo mine >/etc/noi-agent/config.yaml; mkdir -p /var/lib/noi-agent; echo samples >/var/lib/noi-agent/noi.db")

	rpm("--upgrade", only(t, "0.0.2/*.x86_64.rpm"))
	if got := in("noi-agent version"); !strings.HasPrefix(got, "noi-agent 0.0.2 ") {
		t.Errorf("after the upgrade: %q", got)
	}
	if left := rpm("--verify", "noi-agent"); left != "" {
		t.Errorf("rpm says: %s", left)
	}
	rpm("--erase", "noi-agent")
	kept := in("cd / && cat etc/noi-agent/config.yaml var/lib/noi-agent/noi.db; ls usr/bin/noi-* usr/share/noi-agent 2>/dev/null || true")
	if kept != "mine\nsamples" {
		t.Errorf("after the removal: %s", kept)
	}
}

// TestPackageScriptsOfOpenWrt runs the scripts of the ipk as the build of an image does: they may change only the
// image.
func TestPackageScriptsOfOpenWrt(t *testing.T) {
	onlyWithPackages(t)
	root, control := t.TempDir(), t.TempDir()
	run(t, nil, "sh", "-c", `tar -xzOf "$1" ./control.tar.gz | tar -xz -C "$2"`, "sh", only(t, "all/*_mipsel_24kc.ipk"), control)
	for _, script := range []string{"postinst", "prerm"} {
		run(t, []string{"IPKG_INSTROOT=" + root}, "sh", filepath.Join(control, script))
	}
	if _, err := os.Stat(filepath.Join(root, "etc/noi-agent/families.d")); err != nil {
		t.Error(err)
	}
}
