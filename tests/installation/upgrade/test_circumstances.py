"""What differs from machine to machine: umask, clock, links, settings, proxies, slow servers, and who interrupts."""

import gzip
import json
import os
import select
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading

import pytest

from router.cli.upgrade import command
from router.installation.upgrade import steps, versions
from router.settings.keys import find_unknown_variables

from .conftest import NEW, OLD, make_archive, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")

LATEST = "/releases/latest/download/release.json"


def fail(installed, *words):
    """Run the upgrade, which must fail; what it says on stderr, in one line."""
    code, out, err = installed.run(*words)
    assert (code, out) == (1, ""), err
    assert "internal error" not in err
    return " ".join(err.split())


@pytest.mark.parametrize("mask", [0o077, 0o002, 0o000])
def test_any_umask(installed, server, mask):
    """Programs and folders are 0755, other files 0644: what root installs for all can be run by all."""
    server.publish()
    before = os.umask(mask)
    try:
        assert installed.run()[0] == 0
    finally:
        os.umask(before)
    folder = installed.prefix / "versions" / NEW
    modes = {name: (folder / name).stat().st_mode & 0o777 for name in (".", "fairlead", "_internal")}
    assert modes == dict.fromkeys(modes, 0o755)
    assert (folder / "_internal" / "library").stat().st_mode & 0o777 == 0o644


def test_another_upgrade_ended_meanwhile(installed, server, monkeypatch):
    """What it installed is neither replaced nor gone back from, and the version before it stays kept."""
    server.publish()
    choose = command.choose_file

    def choose_late(*arguments):
        monkeypatch.setattr(command, "choose_file", choose)
        assert installed.run("--json")[0] == 0
        return choose(*arguments)

    monkeypatch.setattr(command, "choose_file", choose_late)
    code, _, err = installed.run()
    assert (code, f"another upgrade has installed {NEW} meanwhile" in err) == (1, True), err
    assert (installed.current, installed.left) == (NEW, [OLD, NEW])
    assert installed.run("--rollback")[0] == 0


def test_check_of_a_version_by_name(installed, server):
    """It is told whether that one can be had, not whether it is the newest; another one in its place is refused."""
    server.publish("0.0.9", latest=False, expires="2020-01-01")
    code, out, err = installed.run("--check", "--to", "0.0.9")
    assert (code, err) == (0, "")
    assert "Install it:   fairlead upgrade --to 0.0.9" in out
    assert "newest" not in out
    assert json.loads(installed.run("--check", "--to", "0.0.9", "--json")[1]) == {
        "current": OLD,
        "latest": None,
        "newer": False,
        "command": "fairlead upgrade --to 0.0.9",
    }
    server.publish("0.3.1", latest=False)
    for name in ("release.json", "release.json.minisig"):
        server.files[f"/releases/download/v0.0.9/{name}"] = server.files[f"/releases/download/v0.3.1/{name}"]
    assert "0.0.9 was asked for" in fail(installed, "--check", "--to", "0.0.9")


def test_back_with_settings_that_cannot_be_read(installed, server):
    """Going back needs none of them, and asks nobody."""
    server.publish()
    assert installed.run()[0] == 0
    path = installed.home / "config.toml"
    path.write_text("this is no TOML")
    path.chmod(0o600)
    assert "config.toml" in fail(installed)
    del server.asked[:]
    assert installed.run("--rollback")[0] == 0
    assert (installed.current, server.asked) == (OLD, [])


def test_a_clock_that_was_set_back(installed, server):
    """The version before is the one that was replaced last, not the one of the latest time."""
    server.publish("0.2.0")
    assert installed.run()[0] == 0
    folder = installed.prefix / "versions" / OLD
    kept = versions.read_record(folder)
    versions.write_record(folder, versions.Kept(version=OLD, history_schema=0, left=4e9, files=kept.files))
    target = steps.Target(installed.prefix, "folder")
    steps.keep_current(target, "0.2.0")
    assert versions.find_previous(installed.prefix, NEW).version == "0.2.0"


def test_a_record_of_another_version(installed, server):
    """Counts for nothing: it would have the wrong folder run."""
    server.publish()
    assert installed.run()[0] == 0
    folder = installed.prefix / "versions" / OLD
    folder.rename(folder.with_name("0.0.1"))
    assert "no version before" in fail(installed, "--rollback")


def test_a_folder_in_the_place_of_the_link(installed, server):
    """It is not replaced, and nothing is left beside it."""
    server.publish()
    (installed.prefix / "current").unlink()
    (installed.prefix / "current").mkdir()
    code, _, err = installed.run()
    assert (code, "cannot be written" in err) == (1, True)
    assert not [*installed.prefix.glob(".current*")]


def test_a_full_disk_at_the_record(installed, monkeypatch):
    """The record that was there stays, and no part of the new one."""
    folder = installed.prefix / "versions" / OLD
    steps.describe(folder, OLD, 3)

    def fail_late(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail_late)
    with pytest.raises(OSError, match="No space"):
        versions.write_record(folder, versions.Kept(version=OLD, history_schema=4, files={}))
    assert versions.read_record(folder).history_schema == 3
    assert sorted(path.name for path in folder.iterdir()) == [".kept.json", "_internal", "fairlead"]


def test_a_receipt_that_cannot_be_read(installed, server):
    """The installer writes it anew; nothing is asked and nothing is changed."""
    (installed.prefix / "receipt.json").write_text('{"prefix":')
    code, out, _ = installed.run()
    assert (code, "install.sh" in out) == (0, True), out
    assert (server.asked, installed.left) == ([], [OLD])


@pytest.mark.parametrize("name", ["räum lich", "plain"])
def test_links_spaces_and_other_letters(installed, server, tmp_path, name):
    """The program is found by its real place, however it was reached."""
    real, link = tmp_path / name, tmp_path / "link"
    shutil.copytree(installed.prefix, real, symlinks=True)
    link.symlink_to(real)
    shutil.rmtree(installed.prefix)
    installed.use((link / "current" / "fairlead").resolve(), "folder")
    installed.prefix = link
    server.publish()
    assert installed.run()[0] == 0
    assert installed.current == NEW
    assert installed.run("--rollback")[0] == 0
    assert (installed.current, installed.left) == (OLD, [OLD, NEW])


def test_a_coded_description(installed, server):
    """Nothing else is read than what was signed."""
    server.publish()
    content = gzip.compress(server.files[LATEST])

    def answer(handler):
        handler.send_response(200)
        handler.send_header("content-encoding", "gzip")
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    server.files[LATEST] = answer
    assert "in a content coding, which was not asked for" in fail(installed)


def test_a_description_that_never_ends(installed, server, monkeypatch):
    """Neither one that is too long, nor one that comes too slowly."""
    server.publish()
    stop = threading.Event()

    def flood(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b" " * 65536)

    def drip(handler):
        handler.send_response(200)
        handler.end_headers()
        while not stop.wait(0.05):
            handler.wfile.write(b" ")

    server.files[LATEST] = flood
    assert "sends more than the 1,048,576 bytes" in fail(installed)
    monkeypatch.setattr(command, "DESCRIPTION_SECONDS", 0.5)
    server.files[LATEST] = drip
    assert "took longer than" in fail(installed)
    stop.set()


class Tunnel(socketserver.BaseRequestHandler):
    """A proxy for CONNECT: every name is the release server's."""

    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        self.server.asked.append(head.split(b"\r\n")[0].decode())
        with socket.create_connection(("127.0.0.1", self.server.target)) as other:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self.pass_on, args=(other, self.request))
            back.start()
            self.pass_on(self.request, other)
            back.join()

    @staticmethod
    def pass_on(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_all_goes_through_the_proxy(installed, server, authority, monkeypatch):
    """Description, signature and program, each by a tunnel, with the roots of tls.ca_file."""
    server.publish()
    authority.issue_cert("releases.example").configure_cert(server.context)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as proxy:
        proxy.daemon_threads, proxy.asked, proxy.target = True, [], server.server_port
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("FAIRLEAD_UPGRADE_URL", "https://releases.example/releases")
        monkeypatch.setenv("FAIRLEAD_UPSTREAM_PROXY", f"http://127.0.0.1:{proxy.server_address[1]}")
        code, _, err = installed.run()
        proxy.shutdown()
        thread.join()
    assert (code, installed.current) == (0, NEW), err
    assert proxy.asked == ["CONNECT releases.example:443 HTTP/1.1"] * 3


def has_ended(pid):
    """Whether a process is gone, or only waits for the system's first process to collect it, which takes a moment."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] in ("", "Z")


@pytest.mark.parametrize("words", [[], ["--json"]])
@pytest.mark.parametrize("phase", ["description", "download", "trial"])
def test_interrupted(installed, server, tmp_path, phase, words):
    """Exit code 130, nothing on stdout but the first line, nothing left, and the old version runs."""
    reached, stop = threading.Event(), threading.Event()
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    demo = f"echo $$ > '{ready}'; exec sleep 60"
    path = server.publish(archive=make_archive(("fairlead/fairlead", script(NEW, demo=demo), {})))

    def hang(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"x")
        reached.set()
        stop.wait(60)

    if phase != "trial":
        server.files[LATEST if phase == "description" else path] = hang
    process = installed.start(*words)
    try:
        if phase == "trial":
            # Opened for both, so that a command that fails before it ends this test too.
            with open(os.open(ready, os.O_RDWR | os.O_NONBLOCK)) as opened:
                assert select.select([opened], [], [], 60)[0], process.communicate(timeout=60)
                child = int(opened.readline())
        else:
            assert reached.wait(60)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    finally:
        stop.set()
        process.kill()
    lines = said.splitlines()
    assert process.returncode == 130, said
    assert [*(line[: len(OLD)] for line in lines)] == ([OLD] if phase != "description" and not words else [])
    assert (installed.current, installed.left) == (OLD, [OLD])
    if phase == "trial":
        assert has_ended(child)


@pytest.mark.parametrize(
    "address",
    ["https://user:hidden@host/releases", "https://host/releases?token=hidden", "https://hidden@host", "https://@x"],
)
def test_an_address_with_a_secret(installed, monkeypatch, address):
    """It is refused, and not shown: terminals and logs keep what is printed."""
    monkeypatch.setenv("FAIRLEAD_UPGRADE_URL", address)
    said = fail(installed, "--check")
    assert "$FAIRLEAD_UPGRADE_URL is set; expected an https:// address without a login" in said
    assert "hidden" not in said


def test_the_installers_variables_are_no_mistake():
    """Who exports them for the installer is not warned of them."""
    assert find_unknown_variables({"FAIRLEAD_VERSION": NEW, "FAIRLEAD_RELEASES_URL": "https://host"}) == []
    assert len(find_unknown_variables({"FAIRLEAD_VERSIONS": NEW})) == 1


def test_help_asks_nobody(installed, server):
    """Nothing is contacted that was not asked for."""
    server.publish()
    assert installed.run("--help")[0] == 0
    assert installed.run("--rollback")[0] == 1
    assert server.asked == []
