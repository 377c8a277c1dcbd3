"""What a release host, or somebody between it and the user, may try with install.sh, and what may break half-way."""

import hashlib
import subprocess
from pathlib import Path

import msgspec
import pytest
import trustme

from router.installation.upgrade.manifest import Release

from .fake_release import ReleaseHost, have, make_release, pack, serve, tree, write_release
from .installs import User

pytestmark = pytest.mark.skipif(not have("sh", "curl", "xz", "tar"), reason="needs sh, curl, xz and tar")

LATEST = "/releases/latest/download/release.json"


@pytest.fixture(name="installed")
def fixture_installed(user: User, host: ReleaseHost, tmp_path: Path) -> User:
    """A user who has 0.3.0, while the newest is 0.4.0."""
    user.install()
    make_release(tmp_path / "0.4.0", "0.4.0")
    host.publish("0.4.0", tmp_path / "0.4.0")
    return user


def check_refused(user: User, said: str, *options: str, **environ: str) -> None:
    """The new version is refused with this, nothing of it is left, and the old one still runs."""
    before = user.files()
    done = user.install(*options, **environ)
    assert done.returncode == 1, done.stdout
    assert said in done.stderr
    assert user.version() == "fairlead 0.3.0"
    assert user.files() == before
    assert user.left_over() == []


def rewrite(host: ReleaseHost, **changes: object) -> None:
    """Publish another description in the place of that of the newest release."""
    folder = host.folders[host.latest]
    release = msgspec.json.decode((folder / "release.json").read_bytes(), type=Release)
    write_release(folder, msgspec.structs.replace(release, **changes))


def replace_archives(host: ReleaseHost, data: bytes, *, describe: bool) -> None:
    """Put other bytes in the place of the archives for Linux; with describe, release.json says so."""
    folder = host.folders[host.latest]
    release = msgspec.json.decode((folder / "release.json").read_bytes(), type=Release)
    files = []
    for file in release.files:
        if file.os == "linux" and file.form == "folder":
            (folder / file.name).write_bytes(data)
            sum_ = hashlib.sha256(data).hexdigest()
            file = msgspec.structs.replace(file, size=len(data), sha256=sum_) if describe else file
        files.append(file)
    write_release(folder, msgspec.structs.replace(release, files=files))


def test_tampered_archive(installed: User, host: ReleaseHost):
    """An archive of the right size and other bytes is refused by its hash; one of another size before that."""
    [file] = host.folders["0.4.0"].glob("fairlead-0.4.0-linux-x86_64.tar.xz")
    data = bytearray(file.read_bytes())
    data[-20] ^= 1
    replace_archives(host, bytes(data), describe=False)
    check_refused(installed, "has another SHA-256 than release.json says")
    replace_archives(host, bytes(data) + b"\0", describe=False)
    check_refused(installed, "was cut off or changed")


def test_hash_that_the_user_pins(installed: User):
    """--sha256 holds also against a release.json that agrees with its archive."""
    check_refused(installed, "another SHA-256 than --sha256 asks for", "--sha256", "0" * 64)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema": 2}, "has a form that this script does not read"),
        ({"version": "latest"}, "names no version"),
        ({"version": "../../../tmp"}, "names no version"),
        ({"version": "0.2.0"}, "0.3.0 is installed, and the newest"),
        ({"expires": "2026-01-01"}, "has expired"),
        ({"expires": "never"}, "until when it is the newest"),
        ({"files": []}, "has no program for"),
    ],
)
def test_descriptions_that_are_refused(installed: User, host: ReleaseHost, changes: dict[str, object], said: str):
    """An older release as the newest, an expired one, and one that is no release in our form are refused."""
    rewrite(host, **changes)
    check_refused(installed, said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "../x.tar.xz"}, "names a file"),
        ({"name": "-x"}, "names a file"),
        ({"sha256": ""}, "Nothing is installed unchecked"),
        ({"sha256": "0" * 63 + "g"}, "Nothing is installed unchecked"),
        ({"size": 1 << 40}, "would have"),
        ({"os": "macos"}, "has no program for"),
        ({"libc": "other"}, "has no program for"),
    ],
)
def test_files_that_are_refused(installed: User, host: ReleaseHost, changes: dict[str, object], said: str):
    """A file with a name outside of the folder, without a hash, of a bad size, or for another system is not taken."""
    release = msgspec.json.decode((host.folders["0.4.0"] / "release.json").read_bytes(), type=Release)
    rewrite(host, files=[msgspec.structs.replace(file, **changes) for file in release.files if file.os == "linux"])
    check_refused(installed, said)


def test_description_of_another_version(installed: User, host: ReleaseHost):
    """A version that is asked for is not answered with another one."""
    host.replaced["/releases/download/v0.5.0/release.json"] = host.answer(LATEST)
    check_refused(installed, "release.json of 0.5.0 is that of 0.4.0", "--version", "0.5.0")
    check_refused(installed, "there is no release 0.6.0", "--version", "0.6.0")


@pytest.mark.parametrize("location", ["http://localhost:9/x", "https://127.0.0.1:9/x", "file:///etc/passwd", ""])
def test_redirects_elsewhere(installed: User, host: ReleaseHost, location: str):
    """A redirect to another host or another scheme is not followed."""
    host.replaced[LATEST] = (302, {"location": location}, b"")
    check_refused(installed, "redirects to")


def test_redirect_without_end(installed: User, host: ReleaseHost):
    """A host that redirects in a circle is given up."""
    host.replaced[LATEST] = (302, {"location": LATEST}, b"")
    check_refused(installed, "more than five times")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"content-length": "100000"}, b"{"), "could not be downloaded"),
        ((500, {}, b""), "answered with status 500"),
        ((200, {}, b"<html>"), "has a form that this script does not read"),
        ((200, {}, b""), "has a form that this script does not read"),
    ],
)
def test_answers_that_are_no_release(installed: User, host: ReleaseHost, answer: tuple, said: str):
    """A cut download, an error and a page in the place of release.json end the installation."""
    host.replaced[LATEST] = answer
    check_refused(installed, said)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"fairlead/../../x": b"x"}, "outside of its folder"),
        ({"/tmp/x": b"x"}, "outside of its folder"),
        ({"other": b"x"}, "outside of its folder"),
        ({"fairlead/readme": b"x"}, "has no program in it"),
        ({"fairlead/fairlead": b"#!/bin/sh\necho fairlead 9.9.9\n"}, "says that it is 'fairlead 9.9.9'"),
        ({"fairlead/fairlead": b"#!/bin/sh\necho GLIBC_2.99 not found >&2; exit 1\n"}, "GLIBC_2.99 not found"),
    ],
)
def test_archives_that_are_refused(installed: User, host: ReleaseHost, files: dict[str, bytes], said: str):
    """Names outside of the folder, no program, another program and one that does not run: the old version stays."""
    replace_archives(host, pack(files), describe=True)
    check_refused(installed, said)


def test_archive_that_is_none(installed: User, host: ReleaseHost):
    """Bytes that are no archive are refused, though their hash is that of release.json."""
    replace_archives(host, b"no archive", describe=True)
    check_refused(installed, "could not be unpacked")


def test_disk_that_is_full(installed: User):
    """Where nothing can be written any more, the old version stays and nothing else does."""
    installed.add_tool(
        "tar", 'case $1 in -xof) echo "tar: No space left on device" >&2; exit 2 ;; esac; exec /bin/tar "$@"'
    )
    check_refused(installed, "Is the disk full?")


def test_installer_that_is_killed(installed: User):
    """After SIGKILL while it unpacks the old version runs; the next installation clears what was left."""
    installed.add_tool("tar", 'case $1 in -xof) /bin/tar "$@"; kill -9 "$PPID" ;; esac; exec /bin/tar "$@"')
    assert installed.install().returncode == -9
    assert installed.version() == "fairlead 0.3.0"
    (installed.tools / "tar").unlink()
    mine = installed.home / ".local/bin/.fairlead-mine"
    mine.touch()
    left = [
        mine.with_name(".fairlead-999999999"),
        *(installed.prefix / f".{name}-999999999" for name in ("current", "receipt")),
    ]
    for path in left:
        path.symlink_to("nowhere")
    assert installed.install(TMPDIR=str(installed.tools)).returncode == 0
    assert installed.version() == "fairlead 0.4.0"
    assert list((installed.prefix / "versions").glob(".part-*")) == []
    assert (mine.exists(), [path.name for path in left if path.is_symlink()]) == (True, [])


def test_installer_that_is_stopped(installed: User):
    """SIGTERM while it unpacks leaves nothing."""
    installed.add_tool("tar", 'case $1 in -xof) /bin/tar "$@"; kill -15 "$PPID"; sleep 0.1 ;; esac; exec /bin/tar "$@"')
    done = installed.install()
    assert done.returncode == 143
    assert installed.version() == "fairlead 0.3.0"
    assert installed.left_over() == []


def test_tls_is_verified(user: User, host: ReleaseHost, tmp_path: Path):
    """https is taken with a certificate that the system trusts only, and never redirects to http."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serve(authority.issue_cert("127.0.0.1")) as secure:
        secure.publish("0.3.0", host.folders["0.3.0"])
        where = {"FAIRLEAD_RELEASES_URL": secure.url}
        assert "could not be downloaded" in user.install(**where).stderr
        assert user.install(**where, CURL_CA_BUNDLE=str(tmp_path / "ca.pem")).returncode == 0
        secure.replaced[LATEST] = (302, {"location": f"{host.url}/latest/download/release.json"}, b"")
        host.asked.clear()
        check_refused(user, "redirects to http://127.0.0.1", **where, CURL_CA_BUNDLE=str(tmp_path / "ca.pem"))
        assert host.asked == []


def test_configuration_of_curl_keeps_its_place(installed: User, host: ReleaseHost):
    """A .curlrc that follows redirects by itself does not lift the check of where they lead."""
    (installed.home / ".curlrc").write_text("location\n")
    host.replaced[LATEST] = (302, {"location": "http://localhost:9/x"}, b"")
    check_refused(installed, "redirects to")


@pytest.mark.skipif(not have("shellcheck"), reason="needs shellcheck")
def test_script_is_plain_shell():
    """shellcheck finds nothing in the script, read as POSIX sh."""
    from .installs import SCRIPT

    done = subprocess.run(["shellcheck", "-s", "sh", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_program_of_the_stand_in():
    """The archives of these tests hold what a real one has: the program and _internal in one folder."""
    assert {name.split("/")[1] for name in tree("1.2.3")} == {"fairlead", "_internal"}
