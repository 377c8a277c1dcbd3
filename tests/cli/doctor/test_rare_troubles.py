"""Troubles that are rare: what cannot be asked, what answers otherwise than it should, what only the proxy lacks."""

import http.server
import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import pytest

from router.cli.doctor.checks import history, secrets, serving
from router.cli.doctor.situation import FoundProxy
from router.operator_api.accounts import AccountList, ListedAccount
from router.operator_api.status import CaptureStatus
from router.store.home import run_files

from ..inspect.test_status import status
from .conftest import find_rows, look

RUN = run_files.Run(pid=4121, url="http://localhost:3456", port=3456, version="0.0.9", started=1.0)
BASE = ("--base-url", "http://127.0.0.1:1", "--protocols", "chat")


def beside(fairlead, found, **options):
    """The situation of a home with a proxy."""
    fairlead("config", "set", "port", "3999")
    return replace(look(fairlead, **options), proxies=(found,))


@pytest.mark.parametrize(
    ("state", "problem", "verdict", "text"),
    [
        ("older", "", "warn", "the proxy on :3456 (pid 4121) is of an older fairlead (0.0.9)"),
        ("proven", "it said 500", "fail", "the proxy on :3456 (pid 4121) could not be asked: it said 500"),
    ],
)
def test_a_proxy_that_cannot_be_asked(fairlead, state, problem, verdict, text):
    """It is told with what restarts it, as it was started."""
    for mode, fix in (("foreground", "fairlead stop, then fairlead proxy --detach"), ("detached", "fairlead restart")):
        run = msgspec.structs.replace(RUN, mode=mode)
        (row,) = find_rows(beside(fairlead, FoundProxy(run, state, problem=problem)), serving.check_proxy)
        assert (row.status, row.text, row.fix) == (verdict, text, f"Restart it: {fix}")


@pytest.fixture
def broken():
    """A server that answers each POST with 503; its URL, and what stops it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(503)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop():
        server.shutdown()
        server.server_close()

    yield f"http://127.0.0.1:{server.server_port}", stop
    stop()


def test_a_round_that_fails(fairlead, broken):
    """Another answer than the demo's, and none."""
    url, stop = broken
    found = FoundProxy(RUN, "proven", SimpleNamespace(url=url), status())
    situation = beside(fairlead, found)
    (row,) = find_rows(situation, serving.check_round)
    assert (row.status, row.text) == ("fail", "a request to the demo got status 503")
    assert row.fix == "What happened: fairlead why -"
    stop()
    (row,) = find_rows(situation, serving.check_round)
    assert row.status == "fail"
    assert row.text.startswith("a request to the demo got no answer: ")
    assert row.fix == "Restart it: fairlead stop, then fairlead proxy --detach"


def test_captures_that_cannot_be_written(fairlead):
    """The reason, and where the setting is."""
    capture = CaptureStatus(on=False, folder=str(fairlead.home / "captures"), dropped=3, problem="No space left")
    found = FoundProxy(RUN, "proven", None, msgspec.structs.replace(status(), capture=capture))
    rows = find_rows(beside(fairlead, found), history.check_history)
    (row,) = [one for one in rows if one.status == "warn"]
    assert (row.text, row.fix) == ("No space left", "Captures stop until then: fairlead config get history.capture")


def test_a_key_that_only_the_proxy_lacks(fairlead):
    """A command that works here, and not where the proxy runs."""
    fairlead("backend", "add", "box", *BASE, "--key-cmd", "/bin/echo sk-printed-1")
    listed = ListedAccount(
        backend="box",
        alias="default",
        source="cmd",
        credentials="key by a command",
        serves=True,
        problem=None,
        key_problem="its command failed",
    )
    found = FoundProxy(RUN, "proven", None, status(), AccountList(schema=1, accounts=[listed], problems=[]))
    (row,) = [one for one in find_rows(beside(fairlead, found), secrets.check_secrets) if one.status == "fail"]
    assert row.text == "box/default: the proxy cannot have its key: its command failed"
    assert "fairlead " in row.fix


def test_a_record_that_cannot_be_read(fairlead, put_program, examine):
    """What setup wrote for a tool is not known then: its copies are."""
    put_program("codex", "codex-cli 99.0.0")
    fairlead("config", "set", "port", "3999")
    folder = fairlead.home / "setup"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "codex.json").write_text("{")
    os.chmod(folder / "codex.json", 0o600)
    (row,) = examine("tool.codex").find("tool.codex", "warn")
    assert "cannot be read: " in row["text"]
    assert "Copies of the tool's files are in " in row["fix"]


def test_roots_that_are_gone(fairlead, examine):
    """A backend that needs them cannot be asked; which file it is, is said."""
    roots = fairlead.folder / "roots.pem"
    roots.write_text("not yet")
    fairlead("backend", "add", "far", "--base-url", "https://far.example/v1", "--protocols", "chat", "--no-key")
    config = fairlead.home / "config.toml"
    config.write_text(f'[tls]\nca_file = "{roots}"\n')
    config.chmod(0o600)
    roots.unlink()
    rows = examine("backend.far", "config").rows
    assert [row for row in rows if row["status"] == "fail" and "roots.pem" in row["text"]], rows
