"""The checks of the running proxy: whether it answers, keeps up, and holds its port on both addresses."""

import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from router import __version__
from router.cli.doctor.checks import listening, serving
from router.cli.doctor.situation import FoundProxy
from router.net.loopback import has_address
from router.operator_api.guard import GuardStatus, HaltReport
from router.operator_api.status import Bound
from router.store.home import run_files
from router.store.home.home import open_home

from ...local_servers import model_server
from ..inspect.test_status import VITALS, backend, status
from .conftest import find_rows, look

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
needs_both = pytest.mark.skipif(not has_address("::1"), reason="this machine has one loopback address")


def find_run(fairlead):
    """The run file of the proxy that runs, and its path."""
    (path,) = (fairlead.home / "run").glob("*.json")
    return msgspec.json.decode(path.read_bytes(), type=run_files.Run), path


def test_none_runs(fairlead, examine):
    """That is no fault, before there is a home and after."""
    assert examine("proxy").get("proxy")["status"] == "info"
    fairlead("config", "set", "port", "3999")
    report = examine("proxy")
    assert (report.code, report.get("proxy")["text"]) == (0, "none is running; `fairlead proxy` starts it")


def test_one_serves(fairlead, examine):
    """Its URL, its process and how long it has served."""
    process = fairlead.start("proxy", "--port", "0")
    report = examine("proxy")
    run, _ = find_run(fairlead)
    row = report.get("proxy")
    assert row["status"] == "ok"
    assert row["text"].startswith(f"http://localhost:{run.port}, pid {process.pid}, for ")
    addresses = "127.0.0.1 and ::1" if has_address("::1") else "127.0.0.1"
    assert report.get("proxy.port")["text"] == f"it holds port {run.port} on {addresses}"
    assert report.get("proxy.round")["status"] == "ok"


def test_one_that_asks_for_a_key(fairlead, examine):
    """The key of the home is used for the round."""
    fairlead.environ["FAIRLEAD_REQUIRE_KEY"] = "on"
    fairlead.start("proxy", "--port", "0")
    assert examine("proxy.round").get("proxy.round")["status"] == "ok"


def test_without_the_demo(fairlead, examine):
    """There is nothing to ask for free."""
    fairlead("config", "set", "demo", "off")
    fairlead.start("proxy", "--port", "0")
    row = examine("proxy.round").get("proxy.round")
    assert (row["status"], row["text"]) == ("info", "not sent: the demo is off")


@needs_signals
def test_one_that_hangs(fairlead, examine, monkeypatch):
    """It fails, with what ends it."""
    process = fairlead.start("proxy", "--port", "0")
    os.kill(process.pid, signal.SIGSTOP)
    try:
        report = examine("proxy")
        run, _ = find_run(fairlead)
        row = report.get("proxy")
        assert (report.code, row["status"]) == (1, "fail")
        assert row["text"] == f"the proxy on :{run.port} (pid {process.pid}) does not answer"
        assert row["fix"] == f"End it: fairlead stop --port {run.port}"
        assert report.find("proxy.round") == []
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_another_program_in_its_place(fairlead, examine):
    """A process that exists, and a port that another program has by now."""
    home = open_home({"FAIRLEAD_HOME": str(fairlead.home)})
    home.token("operator.token")
    with model_server("ollama") as (port, _):
        run = run_files.Run(pid=os.getpid(), url=f"http://127.0.0.1:{port}", port=port, version="0", started=1.0)
        run_files.write(home, run)
        report = examine("proxy")
    row = report.get("proxy")
    assert row["status"] == "fail"
    assert row["text"] == f"another program answers on :{port}, which the proxy with pid {os.getpid()} should hold"


def test_another_version(fairlead, examine):
    """An upgrade leaves the old one running."""
    fairlead.start("proxy", "--port", "0")
    run, path = find_run(fairlead)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(run, version="0.0.9")))
    row = examine("proxy").get("proxy")
    assert row["status"] == "warn"
    assert row["text"] == f"the proxy on :{run.port} is version 0.0.9, this program is {__version__}"
    assert row["fix"] == "Restart it: fairlead stop, then fairlead proxy --detach"


def test_two_of_them(fairlead, examine):
    """Tools may be pointed at either."""
    for _ in range(2):
        fairlead.start("proxy", "--port", "0")
    rows = examine("proxy").find("proxy")
    assert [row["status"] for row in rows] == ["ok", "ok", "warn"]
    assert rows[2]["fix"].startswith("End one: fairlead stop --port ")


def judge(reported, mode="foreground", version=__version__, unit="", fairlead=None):
    """Verdict, text and what to do, for what a proxy reports."""
    run = run_files.Run(
        pid=4121, url="http://localhost:3456", port=3456, version=version, started=1.0, mode=mode, unit=unit
    )
    situation = replace(look(fairlead), proxies=(FoundProxy(run, "proven", None, reported),))
    rows = serving.check_proxy(replace(situation, home=open_home({"FAIRLEAD_HOME": str(fairlead.home)})))
    return [(row.status, row.text, row.fix) for row in rows]


def with_vitals(**fields):
    return msgspec.structs.replace(status(), vitals=msgspec.structs.replace(VITALS, **fields))


def halted(scope):
    halt = HaltReport(scope=scope, since=0.0, until=3600.0, reason="5.00 USD a day are used", request="req_1")
    return status(guard=GuardStatus(state="halted", halts=[halt]))


@pytest.mark.parametrize(
    ("reported", "verdict", "text", "fix"),
    [
        (halted("all"), "fail", "the guard halts all since ", "When more may be spent: fairlead resume"),
        (halted("tag x"), "warn", "the guard halts tag x since ", "When more may be spent: fairlead resume"),
        (
            with_vitals(stalled_s=90.0, waiting=3),
            "fail",
            "3 requests wait, and none was answered for 90 s",
            "Restart it",
        ),
        (
            with_vitals(worst_loop_lag_ms=800.0),
            "warn",
            "it answered 0.8 s late within the last minute",
            "Is the machine",
        ),
        (
            with_vitals(bounds={"descriptors": Bound(used=950, limit=1000)}),
            "warn",
            "descriptors: 950 of 1,000 in use",
            "See what runs",
        ),
        (
            msgspec.structs.replace(status(), dropped_log_lines=7),
            "warn",
            "7 lines of the access log could not be written",
            "Is its disk full",
        ),
        (status(problems=["x is off: `fairlead backend enable x`."]), "warn", "x is off", "fairlead backend enable x"),
    ],
)
def test_what_it_reports(fairlead, reported, verdict, text, fix):
    """Each trouble has a row with what to do."""
    (found,) = judge(reported, fairlead=fairlead)
    assert found[0] == verdict
    assert found[1].startswith(text)
    assert found[2].startswith(fix)


def test_a_queue_that_stands_still(fairlead):
    """Its backend is named."""
    box = backend("box", waiting=4)
    box = msgspec.structs.replace(box, queue=msgspec.structs.replace(box.queue, stalled_s=40.0))
    ((verdict, text, _),) = judge(status(box), fairlead=fairlead)
    assert (verdict, text) == ("warn", "4 requests to box wait, and none went on for 40 s")


@pytest.mark.parametrize(
    ("mode", "unit", "fix"),
    [
        ("detached", "", "Restart it: fairlead restart"),
        ("user unit", "fairlead.service", "Restart it: systemctl --user restart fairlead"),
        ("launch agent", "x", "Restart it: fairlead service restart"),
    ],
)
def test_how_it_is_restarted(fairlead, mode, unit, fix):
    """As it was started."""
    ((_, _, told),) = judge(status(), mode=mode, unit=unit, version="0.0.9", fairlead=fairlead)
    assert told == fix


@needs_both
def test_another_server_on_the_other_address(fairlead):
    """Who holds ::1 gets the traffic of clients that try it first; its process is named."""
    home = open_home({"FAIRLEAD_HOME": str(fairlead.home)})
    home.token("operator.token")
    with model_server("ollama", "::1") as (port, _):
        run = run_files.Run(pid=1, url=f"http://localhost:{port}", port=port, version="0", started=1.0)
        situation = replace(look(fairlead), proxies=(FoundProxy(run, "proven", None, status()),))
        (row,) = find_rows(situation, listening.check_port)
    assert (row.id, row.status) == ("proxy.port", "fail")
    who = f"another program (pid {os.getpid()}, " if sys.platform == "linux" else "another program"
    assert row.text.startswith(who)
    assert f" answers on ::1 port {port}: " in row.text
    assert row.fix.startswith("End it, or use another port: fairlead proxy --port ")


@needs_both
def test_a_server_that_does_not_speak_http(fairlead):
    """It holds the port all the same."""
    open_home({"FAIRLEAD_HOME": str(fairlead.home)}).token("operator.token")
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        run = run_files.Run(pid=1, url=f"http://localhost:{port}", port=port, version="0", started=1.0)
        situation = replace(look(fairlead), proxies=(FoundProxy(run, "proven", None, status()),))
        (row,) = find_rows(situation, listening.check_port)
    assert row.status == "fail"


@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=needs_both)])
def test_the_port_is_taken(fairlead, examine, address):
    """Before a proxy is started, whose start would fail; and nothing is said of a free one."""
    with model_server("ollama", address) as (port, _):
        report = examine("proxy.port", FAIRLEAD_PORT=str(port))
    row = report.get("proxy.port")
    assert (report.code, row["status"]) == (0, "warn")
    assert row["text"].startswith(f"port {port} is taken by another program")
    assert row["text"].endswith(f" on {address}")
    assert examine("proxy.port", FAIRLEAD_PORT=str(port)).rows == []


@pytest.mark.parametrize(
    ("addresses", "status", "text"),
    [
        (["127.0.0.1", "::1"], "ok", "localhost is 127.0.0.1 and ::1"),
        (["127.0.0.1"], "ok", "localhost is 127.0.0.1"),
        (["203.0.113.7"], "fail", "localhost resolves to 203.0.113.7, which is not this machine"),
        ([], "fail", "localhost cannot be resolved: Name or service not known"),
    ],
)
def test_the_name_localhost(examine, monkeypatch, addresses, status, text):
    """A hosts file may lack it, or give it away."""

    def resolve(host, port, *_, **__):
        if not addresses:
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    row = examine("proxy.localhost").get("proxy.localhost")
    assert (row["status"], row["text"]) == (status, text)
    assert bool(row["fix"]) == (status == "fail")


@pytest.mark.parametrize(
    ("file", "release", "environ", "said"),
    [
        ("", "6.1.0-18-amd64", {}, []),
        (".dockerenv", "6.1.0-18-amd64", {}, ["this is a container"]),
        ("run/.containerenv", "6.1.0-18-amd64", {}, ["this is a container"]),
        ("", "6.1.0-18-amd64", {"container": "podman"}, ["this is a container"]),
        ("", "5.15.153.1-microsoft-standard-WSL2", {}, ["this is WSL"]),
    ],
)
def test_places_with_a_localhost_of_their_own(fairlead, tmp_path, file, release, environ, said):
    """What reaches what is told, and asks for nothing."""
    if file:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    situation = replace(look(fairlead), environ=environ)
    rows = listening.judge_reach(situation, Path(tmp_path), release)
    assert [row.status for row in rows] == ["info"] * len(said)
    assert [row.text.partition(":")[0] for row in rows] == said
