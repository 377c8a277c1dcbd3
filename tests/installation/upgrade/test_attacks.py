"""What is refused: each attack has a clear error, and the old version still runs and is still the installed one."""

import datetime
import json
import os
import resource
import socket
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from .conftest import KEY, NEW, OLD, STRANGER, make_archive, make_program, script
from .test_minisign import keys

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")

ELSEWHERE = ["https://127.0.0.1:9/x", "http://localhost:1/x", "https://github.com/x", "file:///etc/x"]
LATEST = "/releases/latest/download/release.json"


def refused(installed, said, *words):
    """Run the upgrade, which must fail so; nothing may be left of it."""
    code, _, err = installed.run(*words)
    assert (code, installed.current) == (1, OLD), err
    assert said in " ".join(err.split()), err
    assert "internal error" not in err
    assert installed.left == [OLD]


def change(server, path, old, new):
    assert old in server.files[path]
    server.files[path] = server.files[path].replace(old, new)


def send_to(place):
    """An answer that redirects."""

    def answer(handler):
        handler.send_response(302)
        handler.send_header("location", place)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return answer


def test_a_tampered_archive(installed, server):
    """Of the right size: the hash is another."""
    path = server.publish()
    content = server.files[path]
    server.files[path] = content[:-1] + bytes([content[-1] ^ 1])
    refused(installed, "its SHA-256 is another")


def test_a_tampered_description(installed, server):
    """One byte of release.json."""
    server.publish()
    change(server, LATEST, b'"0.3.0"', b'"0.4.0"')
    refused(installed, "the signature does not fit")


@pytest.mark.parametrize("form", ["other bytes", "cut", "empty", "of another file", "missing"])
def test_a_tampered_signature(installed, server, form):
    """Each way that a signature can be wrong; without one nothing is installed."""
    server.publish()
    path = f"{LATEST}.minisig"
    text = server.files[path]
    server.files[path] = {
        "other bytes": text.replace(b"\n", b"\nA", 1),
        "cut": text[: len(text) // 2],
        "empty": b"",
        "of another file": keys.sign(b"another", KEY, comment="x"),
        "missing": None,
    }[form]
    refused(installed, "could not be downloaded" if form == "missing" else "the signature of release.json was refused")


def test_a_changed_trusted_comment(installed, server):
    """It is signed as well."""
    server.publish()
    change(server, f"{LATEST}.minisig", b"comment: fairlead 0.3.0", b"comment: fairlead 0.9.0")
    refused(installed, "trusted comment")


def test_a_signature_of_another_release(installed, server):
    """A true signature whose trusted comment names another version."""
    server.publish(comment="fairlead 0.2.0 2026-01-01")
    refused(installed, 'the signature is of "fairlead 0.2.0 2026-01-01"')


def test_an_unknown_key(installed, server):
    """Named by its id."""
    server.publish(key=STRANGER)
    refused(installed, f"the key {keys.show_id(STRANGER.id)}, which is none of fairlead's")


def test_an_older_description_replayed(installed, server):
    """Never older than what is installed, unless it is named."""
    server.publish("0.0.9")
    refused(installed, f"{OLD} is installed, and the newest release that the server names is 0.0.9")


def test_another_release_than_asked(installed, server):
    """The description under a version's address is of that version."""
    server.publish("0.4.0")
    for name in ("release.json", "release.json.minisig"):
        server.files[f"/releases/download/v0.5.0/{name}"] = server.files[f"/releases/latest/download/{name}"]
    refused(installed, "0.5.0 was asked for, and the server sent the release 0.4.0", "--to", "0.5.0")


def test_an_expired_description(installed, server):
    """Newer releases may be held back; --check says so too."""
    today = datetime.datetime.now(datetime.UTC).date()
    server.publish(expires=today.isoformat())
    refused(installed, "expired on")
    code, _, err = installed.run("--check")
    assert (code, "expired on" in err) == (0, True)


def test_too_old_to_upgrade(installed, server):
    """With the version to go through."""
    server.publish(min_from="0.2.0")
    refused(installed, "fairlead upgrade --to 0.2.0")


@pytest.mark.parametrize("field", [{"os": "plan9"}, {"arch": "riscv"}, {"form": "file", "name": "fairlead-x"}])
def test_no_program_for_this_system(installed, server, field):
    """Said, with the system."""
    server.publish(edit=lambda file: msgspec.structs.replace(file, **field))
    refused(installed, "does not have")


@pytest.mark.parametrize(
    "field",
    [
        {"name": "../fairlead.tar.xz"},
        {"name": "fairlead-0.3.0-plan9-x86_64.tar.xz"},
        {"name": ".fairlead"},
        {"size": 0},
        {"size": 1 << 40},
        {"unpacked": 1 << 40},
        {"sha256": "0" * 63 + "G"},
    ],
)
def test_a_file_that_cannot_be(installed, server, field):
    """Another system's name, a path, a size or hash that no program has."""
    server.publish(edit=lambda file: msgspec.structs.replace(file, **field))
    refused(installed, "release.json")


def test_another_systems_file(installed, server):
    """Served under the name of this system's: its hash is another."""
    path = server.publish()
    server.files[path] = make_program(script(NEW) + b"# of another system\n")
    assert installed.run()[0] == 1
    refused(installed, "could not be downloaded")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        *((place, "is not a place of releases") for place in ELSEWHERE),
        ("https://[::1", "did not answer in HTTP"),
        ("https://a[b@localhost/x", "redirects to what is no address"),
        ("", "redirects more than 5 times"),
    ],
)
def test_a_redirect_elsewhere(installed, server, place, said):
    """Only to the host that was named, and by https."""
    path = server.publish()
    server.files[path] = send_to(place)
    refused(installed, said)


def test_a_redirect_within_the_host(installed, server):
    """Is followed, as GitHub's are; a circle ends."""
    path = server.publish()
    server.files["/store/1"] = server.files[path]
    server.files[path] = send_to("/store/1")
    assert installed.run()[0] == 0
    assert installed.current == NEW


def test_a_cut_download(installed, server):
    """Less came than was announced."""
    path = server.publish()
    content = server.files[path]

    def answer(handler):
        handler.send_response(200)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:100])

    server.files[path] = answer
    refused(installed, "closed the connection before its answer was complete")
    server.files[path] = content[:100]
    refused(installed, f"was cut: 100 of {len(content):,} bytes came")


def test_a_download_without_end(installed, server):
    """No more is read than the description says."""
    path = server.publish()

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    server.files[path] = answer
    refused(installed, "sends more than the")


def test_a_server_whose_certificate_is_unknown(installed, server, monkeypatch):
    """TLS is verified."""
    server.publish()
    monkeypatch.delenv("FAIRLEAD_TLS_CA_FILE")
    refused(installed, "certificate")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../outside", b"x", {}), "holds"),
        (("/outside", b"x", {}), "holds"),
        (("fairlead/../../outside", b"x", {}), "holds"),
        (("other/fairlead", b"x", {}), "not in the folder"),
        (("fairlead/out", b"", {"type": tarfile.SYMTYPE, "linkname": "../../outside"}), "holds"),
        (("fairlead/out", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}), "holds"),
        (("fairlead/out", b"", {"type": tarfile.LNKTYPE, "linkname": "fairlead/fairlead"}), "no file, folder or link"),
        (("fairlead/out", b"", {"type": tarfile.FIFOTYPE}), "holds"),
        (("fairlead/out", b"", {"type": tarfile.CHRTYPE}), "holds"),
        (("fairlead/FAIRLEAD", b"x", {}), "twice"),
        (("fairlead/bomb", b"\0" * (2 << 20), {}), "more than was announced"),
    ],
)
def test_an_archive_that_was_made_to_harm(installed, server, member, said):
    """Signed or not: nothing is written outside, and no more than was announced."""
    server.publish(archive=make_archive(("fairlead/fairlead", script(NEW), {}), member))
    refused(installed, said)
    assert not [*installed.folder.rglob("outside")]


@pytest.mark.parametrize("archive", [b"no archive", make_archive(), make_archive(("fairlead/x", b"", {}))])
def test_an_archive_without_a_program(installed, server, archive):
    """Refused by name."""
    server.publish(archive=archive)
    refused(installed, "was refused")


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (script(NEW, demo="echo no route >&2; exit 1"), "failed its self-test: exit code 1, no route"),
        (script(NEW, demo="kill -9 $$"), "failed its self-test: signal 9"),
        (script(NEW, said="fairlead 0.2.9"), 'it said "fairlead 0.2.9"'),
        (script(NEW, said="\x1b[31m"), "does not tell its version"),
        (b"\x7fELF of another machine", "does not"),
        (b"#!/no/such/interpreter\n", "does not run here"),
        (script(NEW, demo="yes"), "printed without end"),
    ],
)
def test_a_program_that_does_not_work(installed, server, program, said):
    """It is tried before it is switched to."""
    server.publish(archive=make_program(program))
    refused(installed, said)


def test_a_program_that_hangs(installed, server, monkeypatch):
    """Is ended after its time."""
    from router.installation.upgrade.trial import Trial

    monkeypatch.setattr(Trial.__new__, "__defaults__", (5.0, 0.3))
    server.publish(archive=make_program(script(NEW, demo="sleep 60")))
    refused(installed, "did not end `fairlead demo --once --port 0` within 0.3 s")


def test_the_self_test_has_a_home_of_its_own(installed, server):
    """It gets neither this home nor fairlead's variables."""
    there = installed.folder / "told"
    demo = f'echo "$HOME|${{FAIRLEAD_HOME:-none}}|${{FAIRLEAD_UPGRADE_URL:-none}}" > {there}'
    server.publish(archive=make_program(script(NEW, demo=demo)))
    assert installed.run()[0] == 0
    home, *others = there.read_text().strip().split("|")
    assert others == ["none", "none"]
    assert "fairlead-trial-" in home
    assert not os.path.exists(home)


def test_a_full_disk(installed, server):
    """Here by the limit of a file's size, as the same error comes from the disk."""
    server.publish(archive=make_archive(("fairlead/fairlead", script(NEW), {}), ("fairlead/big", b"x" * 900_000, {})))
    process = installed.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)))
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, "cannot be written: File too large" in " ".join(said.split())) == (1, True), said
    assert (installed.current, installed.left) == (OLD, [OLD])


def test_too_little_room(installed, server, monkeypatch):
    """Asked before the download."""
    path = server.publish()
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    refused(installed, "MB free; an upgrade needs")
    assert path not in [asked for asked, _ in server.asked]


@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_prefix_that_cannot_be_written(installed, server):
    """Said before the download."""
    server.publish()
    for folder in (installed.prefix, installed.prefix / "versions"):
        folder.chmod(0o500)
    try:
        code, _, err = installed.run()
        assert (code, "cannot be written" in err, installed.current) == (1, True, OLD)
        assert "Run the command as the user who installed it." in err
    finally:
        for folder in (installed.prefix, installed.prefix / "versions"):
            folder.chmod(0o700)


def test_a_folder_that_another_user_made(installed, server, monkeypatch):
    """The same, as root sees it: the system is asked."""
    path = server.publish()
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    refused(installed, "cannot be written by this user")
    assert path not in [asked for asked, _ in server.asked]


def test_plain_http_only_to_this_machine(installed, server, monkeypatch):
    """And only where the setting says so; another host needs https."""
    monkeypatch.setenv("FAIRLEAD_UPGRADE_URL", "http://mirror.example/releases")
    code, _, err = installed.run("--check")
    assert (code, "FAIRLEAD_UPGRADE_URL" in err, "https://" in err) == (1, True, True)


class PlainHandler(BaseHTTPRequestHandler):
    def do_GET(self):
        content = self.server.files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *args):
        """Nothing."""


def test_a_mirror_on_this_machine(installed, server, monkeypatch):
    """By http, as a rehearsal serves it."""
    server.publish()
    with ThreadingHTTPServer(("127.0.0.1", 0), PlainHandler) as plain:
        plain.files = server.files
        thread = threading.Thread(target=plain.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("FAIRLEAD_UPGRADE_URL", f"http://127.0.0.1:{plain.server_port}/releases")
        code, out, err = installed.run("--json")
        plain.shutdown()
        thread.join()
    assert (code, err, json.loads(out)["installed"]) == (0, "", NEW)


def test_no_network(installed, monkeypatch):
    """The host and the reason are named."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("FAIRLEAD_UPGRADE_URL", f"https://127.0.0.1:{port}")
    refused(installed, "refused the connection")


def test_through_a_proxy(installed, server, monkeypatch):
    """The settings of outgoing connections hold here too: this proxy is not there."""
    server.publish()
    monkeypatch.setenv("FAIRLEAD_UPGRADE_URL", "https://releases.example")
    monkeypatch.setenv("FAIRLEAD_UPSTREAM_PROXY", "http://127.0.0.1:9")
    refused(installed, "the proxy http://127.0.0.1:9")
