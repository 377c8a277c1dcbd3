"""The deb and the rpm: what is in them, and their installation into a fresh root."""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from .fake_release import have
from .generated import generate, make

pytestmark = pytest.mark.skipif(not have("dpkg-deb", "rpmbuild", "rpm"), reason="needs dpkg and rpm")

COMMON = {
    "usr/lib/fairlead/fairlead", "usr/lib/fairlead/_internal/base_library.zip", "usr/bin/fairlead",
    "usr/share/man/man1/fairlead.1.gz", "usr/share/man/man5/fairlead-config.5.gz",
    "usr/share/bash-completion/completions/fairlead", "usr/share/fish/vendor_completions.d/fairlead.fish",
    "usr/lib/systemd/user/fairlead.service",
}  # fmt: skip


@pytest.fixture(name="made", scope="module")
def fixture_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the packages of a release."""
    _, out = make(tmp_path_factory.mktemp("packages"), "deb", "rpm")
    return out / "release"


def run(*command: object, **options: object) -> str:
    # dpkg asks for programs that a user's PATH may not name.
    environ = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=environ, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def as_root() -> list[str]:
    """What a command needs before it to own files as root in a root of its own; skips where nothing gives that."""
    if os.getuid() == 0:
        return []
    if shutil.which("unshare") and subprocess.run(["unshare", "-r", "true"], check=False).returncode == 0:
        return ["unshare", "-r"]
    pytest.skip("needs root, or user namespaces")


def list_deb(path: Path) -> dict[str, tarfile.TarInfo]:
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True).stdout
    target = path.with_suffix(".tar")
    target.write_bytes(data)
    with tarfile.open(target) as tar:
        return {entry.name.removeprefix("./"): entry for entry in tar.getmembers()}


def test_deb(made: Path):
    """A deb holds the program below /usr/lib, a link, man pages and completions, owned by root; no script runs."""
    for arch in ("amd64", "arm64"):
        path = made / f"fairlead_0.3.0_{arch}.deb"
        entries = list_deb(path)
        assert COMMON | {"usr/share/zsh/vendor-completions/_fairlead", "usr/share/doc/fairlead/copyright"} <= set(
            entries
        )
        assert not [name for name in entries if name.startswith("usr/lib/fairlead/_internal/man")]
        assert entries["usr/bin/fairlead"].linkname == "../lib/fairlead/fairlead"
        assert entries["usr/lib/fairlead/fairlead"].mode == 0o755
        assert {(entry.uid, entry.gid) for entry in entries.values()} == {(0, 0)}
        assert len({entry.mtime for entry in entries.values()}) == 1
        control = run("dpkg-deb", "--ctrl-tarfile", path, errors="replace")
        assert not [script for script in ("preinst", "postinst", "prerm", "postrm") if f"./{script}" in control]
        assert run("dpkg-deb", "--field", path, "Architecture") == f"{arch}\n"
        assert run("dpkg-deb", "--field", path, "Version") == "0.3.0\n"


def test_nothing_is_enabled(made: Path):
    """The unit of systemd is there for a user to enable; no package enables it."""
    names = set(list_deb(made / "fairlead_0.3.0_amd64.deb"))
    names |= set(run("rpm", "-qlp", made / "fairlead-0.3.0-1.x86_64.rpm").split())
    assert not [name for name in names if ".wants" in name or "autostart" in name or "preset" in name]


def test_deb_in_a_fresh_root(made: Path, tmp_path: Path):
    """dpkg installs it into an empty root, finds its files as they should be, and purges them all."""
    root = tmp_path / "root"
    (root / "var/lib/dpkg/info").mkdir(parents=True)
    (root / "var/lib/dpkg/updates").mkdir()
    (root / "var/lib/dpkg/status").touch()
    architecture = run("dpkg", "--print-architecture").strip()
    dpkg = [*as_root(), "dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless", "--log=/dev/null"]
    run(*dpkg, "--install", made / f"fairlead_0.3.0_{architecture}.deb")
    assert run(root / "usr/bin/fairlead", "--version") == "fairlead 0.3.0\n"
    assert run(*dpkg, "--verify", "fairlead") == ""
    run(*dpkg, "--purge", "fairlead")
    assert [path for path in root.rglob("*fairlead*") if "dpkg" not in path.parts] == []


def test_rpm(made: Path):
    """An rpm holds the same at Fedora's places, needs nothing but the C library, and runs no script."""
    for arch in ("x86_64", "aarch64"):
        path = made / f"fairlead-0.3.0-1.{arch}.rpm"
        names = set(run("rpm", "-qlp", path).split())
        wanted = COMMON | {"usr/share/zsh/site-functions/_fairlead", "usr/share/licenses/fairlead/LICENSE"}
        assert {f"/{name}" for name in wanted} <= names
        # Folders of others are not this package's own.
        assert {"/usr", "/usr/bin", "/usr/share/man/man1", "/usr/lib/systemd/user"}.isdisjoint(names)
        assert run("rpm", "-qp", "--scripts", "--triggers", path) == ""
        needed = {line.split()[0] for line in run("rpm", "-qp", "--requires", path).splitlines()}
        assert {name for name in needed if not name.startswith("rpmlib(")} == {"glibc"}
        assert run("rpm", "-qp", "--qf", "%{ARCH} %{VERSION}-%{RELEASE} %{LICENSE}", path) == f"{arch} 0.3.0-1 MIT"
        assert set(run("rpm", "-qp", "--qf", "[%{FILEUSERNAME}:%{FILEGROUPNAME}\n]", path).split()) == {"root:root"}


def test_rpm_in_a_fresh_root(made: Path, tmp_path: Path):
    """rpm installs it into an empty root, finds its files as they should be, and erases them all."""
    root = tmp_path / "root"
    root.mkdir()
    arch = os.uname().machine
    rpm = [*as_root(), "rpm", "--root", root, "--dbpath", "/var/lib/rpm", "--nodeps"]
    run(*rpm, "--install", "--nosignature", made / f"fairlead-0.3.0-1.{arch}.rpm")
    assert run(root / "usr/bin/fairlead", "--version") == "fairlead 0.3.0\n"
    assert run(*rpm, "--verify", "fairlead") == ""
    run(*rpm, "--erase", "fairlead")
    assert list(root.rglob("*fairlead*")) == []


def test_same_release_same_bytes(made: Path, tmp_path: Path):
    """Packages of one release are the same bytes, whenever and wherever they are made."""
    done = generate(made.parents[1] / "release", tmp_path / "again", "--only", "deb", "--only", "rpm")
    assert done.returncode == 0, done.stderr
    for path in made.iterdir():
        if path.suffix in (".deb", ".rpm", ".xz"):
            assert (tmp_path / "again/release" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.skipif(not have("systemd-analyze"), reason="needs systemd-analyze")
def test_unit_is_understood(made: Path, tmp_path: Path):
    """systemd knows every line of the unit, for a manager of a user."""
    run("dpkg-deb", "-x", made / "fairlead_0.3.0_amd64.deb", tmp_path)
    unit = tmp_path / "usr/lib/systemd/user/fairlead.service"
    text = unit.read_text().replace("/usr/bin/fairlead", str(tmp_path / "usr/bin/fairlead"))
    # Pages of this root are not installed here.
    unit.write_text(text.replace("man:fairlead(1) ", ""))
    environ = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "--user", "verify", unit]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    # It ends with 0 after unknown words too.
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(not have("lintian"), reason="needs lintian")
def test_lintian(made: Path):
    """lintian finds no error in the debs."""
    command = ["lintian", "--fail-on", "error", *made.glob("*.deb")]
    # It advises against root, which is the user of many containers.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stdout.splitlines() if line.startswith("E:")]) == (0, [])
