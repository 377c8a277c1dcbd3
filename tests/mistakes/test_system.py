"""Ports, processes, folders, disks, terminals and signals that are not as they should be."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from ..cli.terminals import on_terminal
from ..e2e.processes import Proxy, until
from ..e2e.samples import CHAT
from ..e2e.wire import Client, ask, request
from ..patience import PATIENCE
from .mistake import Mistake

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals, modes and terminals")

MISTAKES = {
    "H1": Mistake("starts the proxy twice", "already serving (pid ", "http://localhost:", "fairlead stop"),
    "H2": Mistake(
        "starts a second proxy of one home", "another proxy of this home", "serves on :", "fairlead stop --port "
    ),
    "H3": Mistake("has two homes and one port", "is taken by another program", "port ", "fairlead proxy --port "),
    "H4": Mistake("takes a port that is in use", "is taken by another program", "port ", "fairlead proxy --port "),
    "H5": Mistake("tries the demo while its port is in use", "is taken by", "port ", "so the demo uses another port."),
    "H6": Mistake("names a home that cannot be used", "", "", ""),
    "H7": Mistake(
        "lets others read the file of a backend",
        "can be read by others",
        "backends/office.json",
        "requests for models of office get a 404",
    ),
    "H8": Mistake("has a home that cannot be written", "cannot be created", "/sys/fairlead", "use another folder"),
    "H9": Mistake("adds a backend on a full disk", "was not saved", "cannot be written", ""),
    "H10": Mistake(
        "asks for usage on a full disk", "cannot write it, so requests since then are missing", "history.db", ""
    ),
    "H11": Mistake("closes standard input", "", "", ""),
    "H12": Mistake("prints to a full disk", "cannot be written", "the output", ""),
    "H13": Mistake("presses Ctrl-C with open answers", "1 open answer", "up to 10 s", "Press Ctrl-C again"),
    "H14": Mistake("presses Ctrl-C at a prompt", "", "", ""),
    "H15": Mistake(
        "clears the history without a terminal", "cannot be undone", "Not erased", "fairlead history clear --yes"
    ),
    "H16": Mistake("asks why with an id that does not exist", "no", "zzzz", "fairlead"),
    "H17": Mistake("asks for usage right after a request", "1 request ", "demo", ""),
    "H18": Mistake("removes the home under the proxy", "was removed", "home", "bring the folder back"),
}
URL = ("--base-url", "http://127.0.0.1:9", "--protocols", "chat")


def port_of(fairlead):
    """The port of the one proxy of the fixture's home."""
    [path] = (fairlead.home / "run").glob("*.json")
    return path.stem


def test_h1(fairlead):
    """It is no error; the process is named and how to end it."""
    process = fairlead.start("proxy", "--port", "0")
    code, out, _ = fairlead("proxy", "--port", port_of(fairlead))
    assert code == 0
    MISTAKES["H1"]._replace(cause=f"already serving (pid {process.pid})").check(out)


def test_h2(fairlead):
    """The second one says so, and the command that it names ends the first."""
    fairlead.start("proxy", "--port", "0")
    port = port_of(fairlead)
    with Proxy(fairlead.folder) as second:
        mistake = MISTAKES["H2"]._replace(place=f"serves on :{port}", command=f"fairlead stop --port {port}")
        assert until(lambda: mistake.command in second.log.read_text())
        mistake.check(second.log.read_text())
        assert fairlead("stop", "--port", port).code == 0


def test_h3(fairlead):
    """The other one is named, and a free port."""
    fairlead.start("proxy", "--port", "0")
    port = port_of(fairlead)
    code, _, err = fairlead("proxy", "--port", port, FAIRLEAD_HOME=str(fairlead.folder / "other"))
    assert code == 1
    MISTAKES["H3"]._replace(place=f"port {port}").check(err)


def test_h4(fairlead):
    """A free port is named."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, _, err = fairlead("proxy", "--port", str(port))
    assert code == 1
    MISTAKES["H4"]._replace(place=f"port {port}").check(err)


def test_h5(fairlead):
    """The demo takes another port, and says why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, _, err = fairlead("demo", "--once", FAIRLEAD_PORT=str(port))
    assert code == 0
    MISTAKES["H5"]._replace(place=f"port {port}").check(err)


@pytest.mark.parametrize(
    ("home", "cause", "command"),
    [("here", "FAIRLEAD_HOME", "absolute"), ("FILE", "is not a folder", "mv "), ("OPEN", "other users", "chmod ")],
)
def test_h6(fairlead, home, cause, command):
    """A relative path, a file, a folder that others can write in."""
    (fairlead.folder / "FILE").touch()
    (fairlead.folder / "OPEN").mkdir()
    (fairlead.folder / "OPEN").chmod(0o777)
    where = home if home == "here" else str(fairlead.folder / home)
    code, _, err = fairlead("backend", "list", FAIRLEAD_HOME=where)
    assert code == 1
    MISTAKES["H6"]._replace(cause=cause, place=home, command=command).check(err)


def test_h7(fairlead):
    """The start says which backend it is, what helps, and what its requests get until then."""
    fairlead("backend", "add", "office", *URL, "--no-key")
    (fairlead.home / "backends" / "office.json").chmod(0o644)
    with Proxy(fairlead.folder) as proxy:
        assert until(lambda: MISTAKES["H7"].command in proxy.log.read_text())
        MISTAKES["H7"].check(proxy.log.read_text())
        # Standard output and error are written by a thread each.
        assert until(lambda: "no backend can be read: office" in proxy.log.read_text())
        assert "chmod 600" in proxy.log.read_text()


@pytest.mark.skipif(not os.path.isdir("/sys/kernel"), reason="needs a folder in which nobody can write")
def test_h8(fairlead):
    """The folder is named, and another choice."""
    code, _, err = fairlead("env", FAIRLEAD_HOME="/sys/fairlead", FAIRLEAD_REQUIRE_KEY="on")
    assert code == 1
    MISTAKES["H8"].check(err)


def test_h9(fairlead):
    """The error is the last word, and nothing is left behind."""
    line = [sys.executable, "-m", "router", "backend", "add", "office", *URL, "--key-stdin"]
    assert fairlead("backend", "add", "other", *URL, "--no-key").code == 0
    done = subprocess.run(
        line,
        check=False,
        input=b"sk-x",
        capture_output=True,
        env=fairlead.environ,
        timeout=PATIENCE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert done.returncode == 1
    MISTAKES["H9"]._replace(cause="office was not saved").check(done.stderr.decode())
    assert "now" not in done.stdout.decode()
    assert os.listdir(fairlead.home / "backends") == ["other.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="changes the limits of another process")
def test_h10(fairlead):
    """What cannot be written is said in place of that there was nothing."""
    with Proxy(fairlead.folder) as proxy:
        proxy.loaded()
        resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (0, -1))
        assert ask(proxy.port, CHAT.path, CHAT.body("demo")).status == 200
        done = fairlead("usage")
        MISTAKES["H10"].check(done.out, done.err)
        resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (-1, -1))


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("backend add office --base-url http://127.0.0.1:9 --protocols chat --key-stdin", 1, "is empty"),
        ("config set port --stdin", 1, 'port is ""'),
        ("explain -", 1, "is empty"),
        ("backend add anthropic", 1, "--key-stdin"),
        ("config set api_key", 2, "api_key needs a value"),
    ],
)
def test_h11(fairlead, command, code, said):
    """It is empty to every command."""
    line = f"exec {sys.executable} -W error -m router {command} <&-"
    done = subprocess.run(
        ["/bin/sh", "-c", line], check=False, capture_output=True, text=True, env=fairlead.environ, timeout=PATIENCE
    )
    assert done.returncode == code, done.stderr
    MISTAKES["H11"]._replace(cause=said).check(done.stderr)
    assert "internal error" not in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
def test_h12(fairlead):
    """It is a failure, said in one line."""
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "router", "config", "show"]
        done = subprocess.run(
            line, check=False, stdout=full, stderr=subprocess.PIPE, env=fairlead.environ, timeout=PATIENCE
        )
    assert done.returncode == 1
    MISTAKES["H12"].check(done.stderr.decode())


def test_h13(tmp_path):
    """The terminal says what is waited for; a second Ctrl-C ends the proxy at once."""
    here, there = os.openpty()
    proxy = Proxy(tmp_path, output=there, stdin=there)
    try:
        os.close(there)
        with Client(proxy.port) as client:
            client.send(request(CHAT.path, CHAT.body("demo-slow", stream=True)))
            client.read_until(b"Caf")
            proxy.process.send_signal(signal.SIGINT)
            MISTAKES["H13"].check(read_terminal(here, "Press Ctrl-C again"))
            proxy.process.send_signal(signal.SIGINT)
            assert proxy.process.wait(PATIENCE) == 130
    finally:
        proxy.kill()
        os.close(here)


def read_terminal(descriptor, end):
    """What a terminal shows until the text `end`, or until it is closed."""
    shown = b""
    try:
        while end.encode() not in shown and (data := os.read(descriptor, 65536)):
            shown += data
    except OSError:
        # Linux answers so when the other end is closed.
        pass
    return shown.decode()


@pytest.mark.parametrize(
    ("command", "prompt"), [("backend add groq", "(not shown): "), ("config set api_key", "(not shown): ")]
)
def test_h14(fairlead, command, prompt):
    """Nothing is saved, and the shell's prompt begins a line of its own."""
    here, there = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "router", *command.split()],
        env=fairlead.environ,
        preexec_fn=lambda: os.login_tty(there),  # noqa: PLW1509
        pass_fds=[there],
    )
    os.close(there)
    shown = read_terminal(here, prompt)
    os.write(here, b"\x03")
    shown += read_terminal(here, "never shown")
    os.close(here)
    assert process.wait(PATIENCE) == 130
    assert shown.endswith("\n")
    assert "Traceback" not in shown
    assert not (fairlead.home / "config.toml").exists()


@pytest.mark.parametrize(("written", "left"), [("", 0), ("path.write_text('port = 1')", 1)])
def test_h14_in_an_editor(fairlead, written, left):
    """No copy stays that holds nothing new; a text that was typed is kept, and its place is said."""
    program = f"import os, pathlib, sys; path = pathlib.Path(sys.argv[1]); {written}; os.kill(os.getppid(), 2)"
    code, _, err = fairlead("config", "edit", EDITOR=f'{sys.executable} -c "{program.replace(" ; ", " ")}"')
    assert code == 130
    assert len(list(fairlead.home.glob("config.edit*"))) == left
    assert ("Your text is kept" in err) == bool(left)


def serve_requests(fairlead, count):
    """Have a proxy serve requests of the demo, and end it."""
    with Proxy(fairlead.folder) as proxy:
        proxy.loaded()
        for _ in range(count):
            assert ask(proxy.port, CHAT.path, CHAT.body("demo")).status == 200


def test_h15(fairlead):
    """The option that confirms it is named, and works."""
    serve_requests(fairlead, 1)
    code, _, err = fairlead("history", "clear")
    assert code == 2
    MISTAKES["H15"].check(err)
    code, out, _ = fairlead("history", "clear", "--yes")
    assert (code, out) == (0, "Erased 1 request.\n")


def test_h15_at_a_terminal(fairlead):
    """There it is asked."""
    serve_requests(fairlead, 1)
    code, shown = on_terminal(fairlead, ["history", "clear"], ["n"])
    assert code == 1
    assert "cannot be undone" in shown


def test_h16(fairlead):
    """The id is repeated, and what to do is said; an id that fits several lists them."""
    serve_requests(fairlead, 2)
    code, _, err = fairlead("why", "zzzz")
    assert code == 1
    MISTAKES["H16"].check(err)
    code, _, err = fairlead("why", "req_1")
    assert code == 1
    MISTAKES["H16"]._replace(cause="several requests", place="req_1", command="").check(err)


def test_h17(fairlead):
    """The request is there: the proxy writes first what waits."""
    with Proxy(fairlead.folder) as proxy:
        proxy.loaded()
        assert ask(proxy.port, CHAT.path, CHAT.body("demo")).status == 200
        MISTAKES["H17"].check(fairlead("usage").out)


def test_h18(fairlead):
    """The proxy goes on with what it has, and says so."""
    with Proxy(fairlead.folder) as proxy:
        operator = proxy.operator()
        shutil.rmtree(proxy.home)
        assert ask(proxy.port, "/admin/reload", b"{}", operator, (b"Content-Type", b"application/json")).status == 200
        MISTAKES["H18"].check(*ask(proxy.port, "/status", None, operator).json()["problems"])
        assert ask(proxy.port, CHAT.path, CHAT.body("demo")).status == 200
