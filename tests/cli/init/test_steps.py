"""What `fairlead init` does once all is answered: by real proxies, with a scripted server, provider and tool."""

import contextlib
import json
import socket
import sys
import time

import msgspec
import pytest

from router.backends.known import KNOWN
from router.net.control import local_servers
from router.store.home import run_files
from router.store.home.home import open_home

from ...local_servers import OLLAMA, TEXTS, model_server
from ..setup.test_check import TOOL
from ..setup.test_command import add_program


def list_running(fairlead):
    return run_files.live(open_home(fairlead.environ))


def wait_for_end(fairlead):
    """Wait until no proxy runs; one that served a single command ends by itself."""
    deadline = time.monotonic() + 20
    while list_running(fairlead):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_once(fairlead, ollama):
    """A proxy for the first answer: what was found is added, answers through fairlead, and the proxy ends."""
    code, out, err = fairlead("init", "--proxy", "once", "--yes")
    assert code == 0, err
    assert "ollama:qwen3:8b answered through fairlead in " in out
    assert ': "Hi"\n' in out
    assert "added ollama   fairlead backend remove ollama" in out
    assert "Start the proxy when you want it:   fairlead proxy --detach" in out
    assert "a proxy runs" not in out
    assert fairlead.backend("ollama")["root"] == f"http://127.0.0.1:{ollama}/v1"
    wait_for_end(fairlead)
    assert "ollama" in fairlead("why", "-").out


def test_typed_answers(fairlead, ollama):
    """Enter at each question: what was found, a proxy that stays, no tool; a second run changes nothing."""
    code, out, err = fairlead.type(["init"], ["", ""])
    assert code == 0, err
    assert fairlead.typist.asked == [
        "Add which? (numbers, names, all or none) [all]: ",
        "Start it in the background? (y/n) [y]: ",
    ]
    assert '"Hi"' in out
    [run] = list_running(fairlead)
    assert f"a proxy runs (pid {run.pid})   fairlead stop" in out
    kept = [fairlead.home / "config.toml", *fairlead.home.glob("backends/*"), *fairlead.home.glob("keys/**/*")]
    before = [path.read_bytes() if path.is_file() else None for path in kept]
    code, out, err = fairlead.type(["init"], [""])
    assert code == 0, err
    assert f"A proxy serves on {run.url}." in out
    assert '"Hi"' in out
    assert "to take it back" not in out
    assert [one.pid for one in list_running(fairlead)] == [run.pid]
    assert [path.read_bytes() if path.is_file() else None for path in kept] == before
    assert len([*fairlead.home.glob("backends/*")]) == 1


def test_demo(fairlead):
    """Without any backend the demo answers; where that is off too, it is said."""
    code, out, err = fairlead("init", "--yes", "--proxy", "once")
    assert code == 0, err
    assert "demo answered through fairlead" in out
    code, _, err = fairlead("init", "--yes", "--proxy", "once", FAIRLEAD_DEMO="off")
    assert code == 1
    assert "no backend is configured, and the demo is off." in err
    wait_for_end(fairlead)


def test_taken_port(fairlead, ollama):
    """Another program's port is no obstacle to a first answer; the note says how to have a proxy that stays."""
    with socket.create_server(("127.0.0.1", int(fairlead.environ["FAIRLEAD_PORT"]))):
        code, out, err = fairlead("init", "--yes")
    assert code == 0, err
    assert "is taken by another program" in err
    assert "fairlead config set port" in err
    assert '"Hi"' in out
    wait_for_end(fairlead)


def test_refused_key(fairlead, provider, monkeypatch):
    """A key that the provider refuses is asked for again; one that it takes gives the first answer."""
    monkeypatch.setitem(KNOWN, "groq", msgspec.structs.replace(KNOWN["groq"], root=f"{provider.url}/v1"))
    provider.serves = set(TEXTS)
    code, out, err = fairlead.type(["init", "--proxy", "once"], ["groq", "gsk_bad", "gsk_worse", "sk-good"])
    assert code == 0, err
    assert fairlead.typist.asked == [
        "Add which? (names, or none) [none]: ",
        "Key for groq (not shown): ",
        "Another key for groq (not shown, empty keeps this one): ",
        "Another key for groq (not shown, empty keeps this one): ",
    ]
    assert out.count("key refused (401 invalid_api_key)") == 2
    assert "groq:model-a answered through fairlead" in out
    assert out.count("added groq") == 1
    assert "gsk_" not in out + err
    assert fairlead.backend("groq")["accounts"] == [{"alias": "default", "key": "sk-good"}]
    code, out, err = fairlead.type(["init", "--proxy", "once"], ["none"])
    assert (code, '"Hi"' in out) == (0, True), err


def test_key_by_variable(fairlead, provider, monkeypatch):
    """A key in the environment is used by the name of its variable; one that is given by a flag comes before it."""
    monkeypatch.setitem(KNOWN, "groq", msgspec.structs.replace(KNOWN["groq"], root=f"{provider.url}/v1"))
    arguments = ("init", "--yes", "--proxy", "once")
    code, out, err = fairlead(
        *arguments, "--backend", "groq", "--key-env", "MINE", GROQ_API_KEY="gsk_1", MINE="sk-good"
    )
    assert (code, '"Hi"' in out) == (0, True), err
    assert fairlead.backend("groq")["accounts"] == [{"alias": "default", "key": "env:MINE"}]


def test_no_answer(fairlead, ollama, monkeypatch):
    """Where no answer comes, it is said why, after what was done and how to take it back."""
    answers = {**OLLAMA, **dict.fromkeys(TEXTS, (500, "", b'{"error":{"message":"out of memory"}}'))}
    with model_server("ollama", answers=answers) as (port, _):
        monkeypatch.setattr(local_servers, "PORTS", {"ollama": port})
        code, out, err = fairlead("init", "--proxy", "once", "--yes")
    assert code == 1
    assert "added ollama   fairlead backend remove ollama" in out
    assert "ollama:qwen3:8b gave no answer (500): out of memory." in " ".join(err.split())
    assert "fairlead why -" in err
    wait_for_end(fairlead)


def test_own_login_alone(fairlead):
    """Where each tool's own login is passed on, only a tool can ask; that is no failure."""
    backend = {"base-url": "http://127.0.0.1:9", "protocols": "messages", "auth": "client"}
    added = [word for name, value in backend.items() for word in (f"--{name}", value)]
    assert fairlead("backend", "add", "anthropic", *added).code == 0
    code, out, err = fairlead("init", "--yes", "--proxy", "once")
    assert code == 0, err
    assert "anthropic: each tool's own login is passed on, so that only a tool can ask." in out


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_tool(fairlead, ollama):
    """A tool is pointed here and gives the first answer; each step's own command takes it back."""
    fairlead.environ["PATH"] = add_program(fairlead, "claude", "print('2.1.332')" + TOOL)
    settings = fairlead.folder / ".claude" / "settings.json"
    code, out, err = fairlead("init", "--yes", "--tool", "claude-code", FAIRLEAD_REQUIRE_KEY="on")
    assert code == 0, err
    assert "Claude Code got an answer through fairlead: qwen3:8b of ollama" in out
    steps = [
        line.split("   ", 1)[1].strip() for line in out.splitlines() if line.startswith("  ") and "fairlead " in line
    ]
    assert steps[-3:] == ["fairlead backend remove ollama", "fairlead stop", "fairlead setup claude-code --undo"]
    assert json.loads(settings.read_text())["env"]["ANTHROPIC_BASE_URL"].endswith(fairlead.environ["FAIRLEAD_PORT"])
    # It is not offered again.
    code, out, err = fairlead.type(["init"], [""], FAIRLEAD_REQUIRE_KEY="on")
    assert code == 0, err
    assert "Tools here" not in out
    assert fairlead("setup", "claude-code", "--undo", "--yes").code == 0
    assert fairlead("stop").code == 0
    assert fairlead("backend", "remove", "ollama").code == 0
    assert not settings.exists()
    assert list_running(fairlead) == []


def test_interrupted_step(fairlead, ollama, monkeypatch):
    """Ctrl-C while the proxy starts: what was done until then is told, and no process is left."""
    monkeypatch.setattr("router.cli.background._wait", interrupt)
    code, out, _ = fairlead("init", "--yes")
    assert code == 130
    assert "added ollama   fairlead backend remove ollama" in out
    assert "a proxy runs" not in out
    assert list_running(fairlead) == []


def interrupt(home, program):
    raise KeyboardInterrupt


def test_a_server_that_vanishes(fairlead, monkeypatch):
    """A server that ends between the question and the step is added, and said not to answer."""
    with contextlib.ExitStack() as running:
        port, _ = running.enter_context(model_server("ollama"))
        monkeypatch.setattr(local_servers, "PORTS", {"ollama": port})
        ollama = msgspec.structs.replace(KNOWN["ollama"], root=f"http://127.0.0.1:{port}/v1")
        monkeypatch.setitem(KNOWN, "ollama", ollama)

        def end_it():
            running.close()
            return "n"

        code, out, err = fairlead.type(["init"], ["1", end_it])
    assert code == 1
    assert "refused the connection" in out
    assert "added ollama   fairlead backend remove ollama" in out
    assert "no backend can be asked now." in err
    wait_for_end(fairlead)
