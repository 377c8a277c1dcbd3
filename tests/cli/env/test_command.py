"""`fairlead env`: lines a shell can evaluate, which point at who serves now."""

import json
import os
import socket
import sys
import threading

import pytest

from router.backends import Account, Backend
from router.cli.common.output import collect_login_protocols, format_tool_lines
from router.store.config import backends
from router.store.home import run_files
from router.store.home.home import Home, open_home

from ...local_servers import find_free_port
from ..terminals import on_terminal

ANTHROPIC = Backend(name="anthropic", root="https://api.anthropic.com/v1", protocols=("messages",), auth="client")
NOT_RUNNING = "warning: no proxy is running. Start it:   fairlead proxy\n"


def test_lines_for_a_machine_of_ones_own(fairlead):
    """The lines point the SDKs here; the key is a placeholder when none is asked for. Where nothing serves,
    stderr says so."""
    port = find_free_port()
    code, out, err = fairlead("env", "--shell", "sh", FAIRLEAD_PORT=port)
    assert (code, err) == (0, NOT_RUNNING)
    assert out.splitlines() == [
        f"export ANTHROPIC_BASE_URL=http://localhost:{port}",
        "export ANTHROPIC_AUTH_TOKEN=fairlead",
        "unset ANTHROPIC_API_KEY",
        f"export OPENAI_BASE_URL=http://localhost:{port}/v1",
        "export OPENAI_API_KEY=fairlead",
        f"export GOOGLE_GEMINI_BASE_URL=http://localhost:{port}",
        "export GEMINI_API_KEY=fairlead",
    ]


def test_required_key_is_in_the_lines(fairlead):
    """Where clients must send a key, the lines carry it: the configured one, or the home's own."""
    _, out, _ = fairlead("env", "--json", FAIRLEAD_REQUIRE_KEY="on")
    key = (fairlead.home / "client.key").read_text().strip()
    assert json.loads(out)["OPENAI_API_KEY"] == json.loads(out)["ANTHROPIC_AUTH_TOKEN"] == key
    assert json.loads(out)["ANTHROPIC_API_KEY"] is None
    _, out, _ = fairlead("env", "--json", FAIRLEAD_REQUIRE_KEY="on", FAIRLEAD_API_KEY="mine")
    assert json.loads(out)["OPENAI_API_KEY"] == "mine"


def test_tools_that_no_line_helps(fairlead):
    """Why, and what helps, and nothing before that. One that is told the URL is told where the key is, and at the end
    that nothing serves there."""
    required = {"FAIRLEAD_REQUIRE_KEY": "on", "FAIRLEAD_PORT": find_free_port()}
    code, out, err = fairlead("env", "--tool", "pi", **required)
    assert (code, out) == (1, "")
    assert err == (
        "error: pi reads no variable for its base URL.\n       Its own settings can point here:   fairlead setup pi\n"
    )
    code, out, err = fairlead("env", "--tool", "jetbrains", **required)
    assert (code, out) == (1, "")
    first, *_, last = err.splitlines()
    assert first.startswith("error: JetBrains keeps its providers")
    assert f"URL http://localhost:{required['FAIRLEAD_PORT']}/v1, key (fairlead env prints it)," in err
    assert last == f"       {NOT_RUNNING.rstrip()}"


def test_running_proxy_decides(fairlead):
    """URL and key are those of the running proxy, whatever this shell and config.toml say, also when that is broken."""
    fairlead.start("proxy", "--port", "0", FAIRLEAD_REQUIRE_KEY="on")
    key = (fairlead.home / "client.key").read_text().strip()
    [run] = run_files.live(Home(fairlead.home))
    code, out, err = fairlead("env", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["OPENAI_BASE_URL"] == f"{run.url}/v1"
    assert json.loads(out)["OPENAI_API_KEY"] == key
    open_home(fairlead.environ).write("config.toml", b"port = = 1\n")
    code, out, err = fairlead("env", "--json")
    assert json.loads(out)["OPENAI_API_KEY"] == key
    assert code == 0
    assert "config.toml, line 1" in err
    assert f"These lines are for the running proxy on :{run.port}." in err


def test_running_proxy_with_a_key_of_another_shell(fairlead):
    """A key that only the proxy's own environment holds is not known here: stderr says where it comes from."""
    fairlead.start("proxy", "--port", "0", FAIRLEAD_REQUIRE_KEY="on", FAIRLEAD_API_KEY="of-the-other-shell")
    code, out, err = fairlead("env")
    assert code == 0
    assert "of-the-other-shell" not in out
    assert "asks for a client key that is not known here" in err
    code, out, err = fairlead("env", FAIRLEAD_API_KEY="of-the-other-shell")
    assert (code, err) == (0, "")
    assert "of-the-other-shell" in out


def test_broken_settings_without_a_proxy(fairlead):
    """Without a proxy the settings are needed."""
    open_home(fairlead.environ).write("config.toml", b"port = = 1\n")
    code, out, err = fairlead("env")
    assert (code, out) == (1, "")
    assert "config.toml, line 1" in err


def test_proxy_that_does_not_answer(fairlead):
    """A proxy whose process lives and whose port is closed: its lines, and a word on stderr."""
    home, port = open_home(fairlead.environ), int(find_free_port())
    run_files.write(
        home, run_files.Run(pid=os.getpid(), url=f"http://localhost:{port}", port=port, version="0", started=1.0)
    )
    _, out, err = fairlead("env", "--json")
    assert json.loads(out)["OPENAI_BASE_URL"] == f"http://localhost:{port}/v1"
    assert f"the proxy on :{port} (pid {os.getpid()}) does not answer." in err


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"", None]
)
def test_port_of_another_program(fairlead, answer):
    """Another program has the port, whatever it answers, if at all: told, with the program and a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve():
            with listener.accept()[0] as connection:
                if answer is not None:
                    connection.recv(4096)
                    connection.sendall(answer)
                else:
                    connection.recv(65536)
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        code, out, err = fairlead("env", FAIRLEAD_PORT=str(port))
        thread.join()
    assert code == 0
    assert f"http://localhost:{port}" in out
    assert f"port {port} is taken by another program" in err
    assert "fairlead proxy --port " in err
    if sys.platform == "linux":
        assert f"(pid {os.getpid()}, " in err


def test_port_of_another_home(fairlead, tmp_path):
    """The fairlead of another home is named as that."""
    fairlead.start("proxy", "--port", "0")
    [run] = run_files.live(Home(fairlead.home))
    code, _, err = fairlead("env", FAIRLEAD_PORT=str(run.port), FAIRLEAD_HOME=str(tmp_path / "other"))
    assert code == 0
    assert f"port {run.port} is taken by a fairlead of another home or user" in err


def test_own_login_is_not_replaced(fairlead):
    """No key variable where a backend passes on the tool's own login: it would replace that login. Where clients must
    send a key, it goes into a header beside the login, and the user's own headers stay."""
    backends.save(Home(open_home(fairlead.environ).path), ANTHROPIC)
    port = find_free_port()
    code, out, err = fairlead("env", "--json", FAIRLEAD_PORT=port)
    assert (code, err) == (0, NOT_RUNNING)
    others = {"OPENAI_BASE_URL", "OPENAI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY"}
    assert set(json.loads(out)) == {"ANTHROPIC_BASE_URL", *others}
    given = {
        "FAIRLEAD_PORT": port,
        "FAIRLEAD_REQUIRE_KEY": "on",
        "ANTHROPIC_CUSTOM_HEADERS": "X-Fairlead-Key: old\nx-own: 1",
    }
    _, out, err = fairlead("env", "--json", **given)
    key = (fairlead.home / "client.key").read_text().strip()
    assert json.loads(out)["ANTHROPIC_CUSTOM_HEADERS"] == f"x-own: 1\nx-fairlead-key: {key}"
    assert "ANTHROPIC_AUTH_TOKEN" not in json.loads(out)
    assert err == NOT_RUNNING


def test_openai_login_beside_a_required_key(fairlead):
    """OpenAI's tools have no variable for headers: stderr says which header they must send."""
    login = Backend(name="openai", root="https://api.openai.com/v1", protocols=("responses",), auth="client")
    backends.save(Home(open_home(fairlead.environ).path), login)
    _, out, err = fairlead("env", "--json", FAIRLEAD_REQUIRE_KEY="on")
    assert "OPENAI_API_KEY" not in json.loads(out)
    assert "in the header x-fairlead-key" in err


def test_variable_of_a_backend_s_key(fairlead):
    """A variable that a backend's key comes from is not changed without a word."""
    keyed = Backend(
        name="openai",
        root="https://api.openai.com/v1",
        protocols=("chat",),
        accounts=(Account("main", "env:OPENAI_API_KEY"), Account("work", "env:WORK_KEY")),
    )
    backends.save(Home(open_home(fairlead.environ).path), keyed)
    code, _, err = fairlead("env")
    assert code == 0
    assert "these lines replace $OPENAI_API_KEY, which openai takes its key from" in err
    assert "fairlead backend add openai --key-stdin" in err
    assert "WORK_KEY" not in err


def test_unreadable_backend_does_not_hide_the_lines(fairlead):
    """A malformed backend file is told on stderr; the lines come all the same."""
    open_home(fairlead.environ).write("backends/bad.json", b"{")
    code, out, err = fairlead("env")
    assert code == 0
    assert "ANTHROPIC_BASE_URL" in out
    assert "bad.json" in err


def test_use_of_the_lines(fairlead):
    """Someone who sees the lines on a terminal is told how to use them; a shell that evaluates them is not."""
    _, said = on_terminal(fairlead, ["env"], [])
    assert 'note: to use these lines:   eval "$(fairlead env)"' in said
    assert "fairlead env --tool NAME" in said
    _, said = on_terminal(fairlead, ["env", "--shell", "fish", "--tool", "codex"], [])
    assert "fairlead env --tool codex --shell fish | source" in said


def test_protocols_of_own_logins():
    """Only enabled backends with the caller's login count."""
    off = Backend(name="b", root="https://b.example/v1", protocols=("chat",), auth="client", enabled=False)
    keyed = Backend(name="c", root="https://c.example/v1", protocols=("responses",))
    assert collect_login_protocols([ANTHROPIC, off, keyed]) == {"messages"}


def test_printed_lines_never_hold_a_key():
    """The start-up text, which journals keep, names the command instead of the key; a login of the tool's own gets no
    placeholder."""
    lines = "\n".join(format_tool_lines("http://localhost:3456", asks_key=True))
    assert "API_KEY" not in lines
    assert "TOKEN" not in lines
    assert "fairlead env" in lines
    lines = "\n".join(format_tool_lines("http://localhost:3456", asks_key=False, own=frozenset({"messages"})))
    assert "ANTHROPIC_AUTH_TOKEN" not in lines
    assert "OPENAI_API_KEY=fairlead" in lines or "OPENAI_API_KEY =" in lines
