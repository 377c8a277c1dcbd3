"""The proxy as a manager starts it: what the manager is told, how a start that fails ends, where the output goes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from router.server import background_log
from router.server.background_log import BackgroundLog, is_own_output
from router.store.home.home import open_home

from ...patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and datagrams")


@pytest.fixture
def start(fairlead, tmp_path):
    """Starts a proxy with a manager's variables; the process and the manager's socket."""
    made = []

    def start(*words, kind="systemd", **environ):
        receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(PATIENCE)
        variables = {"FAIRLEAD_SERVICE": kind, "NOTIFY_SOCKET": str(tmp_path / "notify"), **environ}
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "router", *words],
            env={**fairlead.environ, **variables},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        made.append((process, receiver))
        return process, receiver

    yield start
    for process, receiver in made:
        process.kill()
        process.communicate()
        receiver.close()


def hear(receiver, wanted):
    """The next notification that is no sign of life."""
    while (said := receiver.recv(4096).decode()).startswith("WATCHDOG"):
        pass
    assert said.startswith(wanted), said
    return said


def test_a_whole_life(fairlead, start, tmp_path):
    """READY once it answers, signs of life, RELOADING and READY for SIGHUP, STOPPING, exit code 0."""
    process, receiver = start(
        "proxy", "--port", "0", WATCHDOG_USEC="3000000", FAIRLEAD_SERVICE_LOG=str(tmp_path / "log")
    )
    ready = hear(receiver, "READY=1\n")
    [path] = (fairlead.home / "run").glob("*.json")
    run = json.loads(path.read_text())
    assert ready.endswith(f"serves on {run['url']}")
    with socket.create_connection(("127.0.0.1", run["port"]), 5):
        pass
    while not receiver.recv(4096).startswith(b"WATCHDOG=1"):
        pass
    process.send_signal(signal.SIGHUP)
    hear(receiver, "RELOADING=1\nMONOTONIC_USEC=")
    hear(receiver, "READY=1\n")
    process.send_signal(signal.SIGTERM)
    hear(receiver, "STOPPING=1")
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "serves on http://localhost:" in out
    assert "export" not in out


def test_the_mode_of_each_manager(fairlead, start):
    """The run file and the operator API say what runs it, and commands name what restarts it."""
    process, receiver = start("proxy", "--port", "0", kind="launchd")
    hear(receiver, "READY=1")
    [path] = (fairlead.home / "run").glob("*.json")
    run = json.loads(path.read_text())
    assert (run["mode"], run["unit"], run["log"]) == ("launch agent", "dev.fairlead.proxy", "")
    done = fairlead("restart")
    assert (done.code, done.out) == (1, "")
    assert "fairlead service restart" in done.err
    assert "it ran for dev.fairlead.proxy, which may start it again at the next login" in fairlead("stop").err
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(("kind", "code"), [("systemd", 78), ("launchd", 0), ("tasks", 78), ("", 1)])
def test_a_start_that_cannot_help(fairlead, start, kind, code):
    """A broken configuration ends so that no manager tries again; what is wrong is said in any case."""
    open_home({"FAIRLEAD_HOME": str(fairlead.home)}).write("config.toml", b'port = "x"\n')
    process, _ = start("proxy", kind=kind)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "port is" in out


def test_a_port_that_is_taken(fairlead, start):
    """By another program it may be free later, so that the manager tries again; by a proxy of this home it is not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process, _ = start("proxy", "--port", str(listener.getsockname()[1]))
        out, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "taken by another program" in out) == (1, True)


def test_a_port_of_this_home(fairlead, start):
    """It is no success, as it is in a terminal: the service does not run, and is to stay so."""
    fairlead.start("proxy", "--port", "0")
    [path] = (fairlead.home / "run").glob("*.json")
    process, _ = start("proxy", "--port", path.stem)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 78
    assert f"port {path.stem} is taken by another proxy of this home" in out
    assert f"fairlead stop --port {path.stem}, then fairlead service restart" in out


def test_keys_of_a_file(fairlead, start, tmp_path):
    """The variables of the file are there when the configuration is read; a file that others can read is refused."""
    keys = tmp_path / "keys"
    keys.write_text("FAIRLEAD_PORT=nonsense\n")
    keys.chmod(0o600)
    process, _ = start("proxy", FAIRLEAD_SERVICE_ENV=str(keys))
    assert "FAIRLEAD_PORT" in process.communicate(timeout=PATIENCE)[0]
    keys.chmod(0o644)
    os.unlink(tmp_path / "notify")
    process, _ = start("proxy", FAIRLEAD_SERVICE_ENV=str(keys))
    assert "chmod 600" in process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 78


def test_as_the_task_scheduler_starts_it(fairlead, tmp_path):
    """It passes no environment on: home, log and keys are arguments, and the output goes to the log."""
    home, log, keys = tmp_path / "own", tmp_path / "proxy.log", tmp_path / "keys"
    keys.write_text("FAIRLEAD_PORT=0\n")
    keys.chmod(0o600)
    words = ["--home", str(home), "--log", str(log), "--env-file", str(keys)]
    environ = {name: value for name, value in fairlead.environ.items() if name != "FAIRLEAD_HOME"}
    process = subprocess.Popen([sys.executable, "-m", "router", "__service", *words], env=environ, cwd=tmp_path)
    try:
        end = time.monotonic() + 20
        while not (log.exists() and "serves on" in log.read_text()) and time.monotonic() < end:
            time.sleep(0.05)
        [path] = (home / "run").glob("*.json")
        run = json.loads(path.read_text())
        assert (run["mode"], run["unit"], run["log"]) == ("task", "fairlead", str(log))
        assert log.stat().st_mode & 0o777 == 0o600
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
    assert fairlead("__service", "--nonsense").code == 2
    done = fairlead("__service", "--log", str(tmp_path / "none/log"))
    assert (done.code, "cannot be opened" in done.err) == (1, True)


def test_a_full_log(tmp_path, home, monkeypatch):
    """The log that a manager has opened is set aside as that of the home; another output is left alone."""
    path = tmp_path / "service.log"
    kept = os.dup(1), os.dup(2)
    try:
        assert not is_own_output(path)
        descriptor = background_log.open_log(home, path)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        assert is_own_output(path)
        os.write(2, b"many more\n")
        BackgroundLog(home, 5, path=path).trim()
        os.write(2, b"new\n")
    finally:
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
    assert (path.read_bytes(), path.with_name("service.log.1").read_bytes()) == (b"new\n", b"many more\n")
