"""`fairlead proxy`, `stop` and `models` with real processes and ports."""

import gc
import json
import os
import signal
import socket
import sys

import pytest

from router.cli import proxy
from router.cli.common.port_owner import find_free_port_after, find_port_owner
from router.errors import UsageError
from router.settings import DECLARATIONS
from router.store.home import run_files
from router.store.home.home import open_home

from ..patience import PATIENCE

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def port_of(fairlead):
    [path] = (fairlead.home / "run").glob("*.json")
    return path.stem


def test_a_start_that_fails_leaves_the_collector_on():
    """It is off while a proxy starts, and no longer."""
    with pytest.raises(UsageError):
        proxy.run(["--port", "soon"])
    assert gc.isenabled()


@posix
def test_proxy_says_where_it_is_and_ends_on_request(fairlead):
    """The start-up text has URL, backends and the lines for tools; SIGTERM ends it with 0 and without a trace."""
    process = fairlead.start("proxy", "--port", "0")
    port = port_of(fairlead)
    assert process.lines[0].endswith(f"http://localhost:{port}   no backends yet; only the demo models work")
    assert f"  export ANTHROPIC_BASE_URL=http://localhost:{port}" in process.lines
    assert "  export ANTHROPIC_AUTH_TOKEN=fairlead" in process.lines
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert list((fairlead.home / "run").iterdir()) == []


def test_second_proxy_points_at_the_first(fairlead):
    """A port that this home's proxy has is no error: its URL and lines are printed."""
    fairlead.start("proxy", "--port", "0")
    port = port_of(fairlead)
    code, out, err = fairlead("proxy", "--port", port)
    assert (code, err) == (0, "")
    assert f"http://localhost:{port}   already serving" in out
    assert "OPENAI_BASE_URL" in out


def test_port_of_another_program(fairlead):
    """A port that another program has is an error that names it, where it can be seen, and a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, out, err = fairlead("proxy", "--port", str(port))
    assert (code, out) == (1, "")
    first, second = err.splitlines()
    who = f" (pid {os.getpid()}, " if sys.platform == "linux" else ""
    assert first.startswith(f"error: port {port} is taken by another program{who}")
    assert second.startswith("       Use another port:   fairlead proxy --port ")
    assert int(second.rpartition(" ")[2]) > port


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_occupant_is_found():
    """The program on a port is found by its socket; a free port has none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert find_port_owner(port).startswith(f"pid {os.getpid()}, ")
    assert find_port_owner(port) == ""


def test_next_free_port_is_free():
    """The port that is suggested can be bound."""
    port = find_free_port_after(20000)
    assert port is not None
    with socket.create_server(("127.0.0.1", port)):
        assert find_free_port_after(port - 1) != port


def test_off_loopback_needs_a_key(fairlead):
    """Listening for other machines without a strong key is refused, and the text says how to make one."""
    code, _, err = fairlead("proxy", "--host", "0.0.0.0", "--port", "0")
    assert code == 1
    assert err.startswith("error: host is 0.0.0.0, which other machines can reach, and no API key is set.\n")
    assert "$FAIRLEAD_API_KEY" in err


@pytest.mark.parametrize(
    ("arguments", "environ", "text"),
    [
        (["--port", "70000"], {}, 'error: --port is "70000"; expected a port number'),
        (["--verbose", "3"], {}, 'error: --verbose is "3"; expected 0, 1 or 2'),
        ([], {"FAIRLEAD_TIMEOUTS_TOTAL": "soon"}, 'error: $FAIRLEAD_TIMEOUTS_TOTAL is "soon"; expected a number'),
        ([], {"FAIRLEAD_API_KEY": "a b"}, "error: $FAIRLEAD_API_KEY is set; expected printable"),
    ],
)
def test_bad_setting(fairlead, arguments, environ, text):
    """A bad value is an error naming where it stands and what was expected; a secret is not repeated. A flag
    is wrong usage."""
    code, _, err = fairlead("proxy", *arguments, **environ)
    assert code == (2 if arguments else 1)
    assert err.startswith(text)


def test_a_default_that_is_no_backend(fairlead):
    """It would be a 404 for every unknown model: refused at the start, with what is there and how to add it."""
    code, _, err = fairlead("proxy", "--port", "0", "--default-backend", "nope")
    assert code == 1
    assert "default_backend is nope, but there is no backend of that name." in err
    assert "fairlead backend add nope" in err


def test_every_setting_is_in_the_help(fairlead):
    """The help lists each setting with its flag and its variable."""
    _, out, _ = fairlead("proxy", "--help", COLUMNS="200")
    for entry in DECLARATIONS:
        assert f"${entry.env}" in out
        assert not entry.flag or f"{entry.flag} {entry.metavar}" in out


def test_backend_is_used_at_once(fairlead, provider):
    """A backend that is added or removed is taken up by the running proxy, and the command says so."""
    fairlead.start("proxy", "--port", "0", "-v", "--demo", "off")
    port = port_of(fairlead)
    add = ("backend", "add", "office", "--base-url", provider.url, "--protocols", "chat", "--key-stdin")
    _, out, _ = fairlead(*add, stdin="sk-good")
    assert out.endswith(f"The running proxy on :{port} uses it now.\n")
    code, out, err = fairlead("models")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["text-embedding-1", "office", "chat"],
        ["model-a", "office", "chat"],
    ]
    _, out, _ = fairlead("models", "--json")
    assert json.loads(out)["proxy"] == f"http://localhost:{port}"
    _, out, _ = fairlead("backend", "remove", "office")
    assert out == f"Removed office.\nThe running proxy on :{port} uses it now.\n"
    assert json.loads(fairlead("models", "--json").out)["models"] == []


def test_stop(fairlead, free_port):
    """Stopping ends the proxy in good order; where none runs, there is nothing to do."""
    assert fairlead("stop", FAIRLEAD_PORT=free_port) == (0, "No proxy of this home is running.\n", "")
    process = fairlead.start("proxy", "--port", "0")
    port = port_of(fairlead)
    assert fairlead("stop", "--port", "1").out == "No proxy of this home runs on port 1.\n"
    assert fairlead("stop") == (0, f"Stopped the proxy on :{port}.\n", "")
    assert process.wait(PATIENCE) == 0


def test_stranger_on_a_run_files_port_is_told_nothing(fairlead, provider):
    """A listener that cannot prove to be ours gets no order and no token."""
    home = open_home(fairlead.environ)
    token = home.token("operator.token").reveal()
    run = run_files.Run(pid=os.getpid(), url=provider.url, port=provider.server_port, version="0", started=1.0)
    run_files.write(home, run)
    code, _, err = fairlead("stop")
    assert code == 1
    assert "did not prove to be the fairlead of this home; it was not told to stop" in err
    assert {path for path, _ in provider.seen} == {"/livez"}
    assert token not in str(provider.seen)


def test_version_mismatch_is_said(fairlead):
    """A running proxy of another version is named."""
    fairlead.start("proxy", "--port", "0")
    home = open_home(fairlead.environ)
    [run] = run_files.live(home)
    home.write(f"run/{run.port}.json", home.read(f"run/{run.port}.json").replace(run.version.encode(), b"9.9.9"))
    assert f"note: the proxy on :{run.port} is version 9.9.9" in fairlead("models").err
