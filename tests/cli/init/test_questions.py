"""What `fairlead init` asks, what it takes for an answer, and that nothing is changed before all is answered."""

import contextlib
import os
import socket
import sys

import pytest

from router.net.control import local_servers
from router.setup.table import TOOLS
from router.store.home import run_files
from router.store.home.home import open_home

from ...local_servers import KEYED_VLLM, SERVERS, model_server

KEY = {"GROQ_API_KEY": "gsk_secret"}


def words(text):
    return " ".join(text.split())


def test_without_a_terminal(fairlead, ollama):
    """What no flag answers is named with its flags, and nothing is changed."""
    code, out, err = fairlead("init", **KEY)
    assert (code, out) == (2, "")
    assert "init asks questions, and this is no terminal to answer on." in err
    assert "--backend NAME" in err
    assert "--proxy background, or --proxy once" in err
    assert "--yes" in err
    assert "--tool" not in err
    code, _, err = fairlead("init", "--backend", "anthropic", "--proxy", "once")
    assert code == 2
    assert "--key-env VAR    the variable with the key of anthropic, or --key-stdin" in err
    assert "--backend" not in err
    assert fairlead.list_files() == []


def test_a_tool_without_a_terminal(fairlead):
    """Its configuration is written without a question only where that was asked for."""
    fairlead.environ["PATH"] = add_programs(fairlead, "claude")
    arguments = ("init", "--backend", "none", "--proxy", "background", "--tool", "claude-code")
    code, _, err = fairlead(*arguments)
    assert code == 2
    assert "--write          write the configuration of the tool without asking" in err
    assert fairlead.list_files() == []


@pytest.mark.parametrize("number", range(4))
def test_ctrl_c_at_each_question(fairlead, monkeypatch, number):
    """It stops there, says that nothing was changed, and that is so."""
    answers = ["anthropic", "sk-ant-1", "y", "none"]
    fairlead.environ["PATH"] = add_programs(fairlead, "claude")
    code, _, err = fairlead.type(["init"], [*answers[:number], KeyboardInterrupt()])
    assert code == 130
    assert "Stopped; nothing was changed." in err
    assert len(fairlead.typist.asked) == number + 1
    assert fairlead.list_files() == []
    assert run_files.live(open_home(fairlead.environ)) == []


def test_end_of_input(fairlead):
    """So does the end of what is typed."""
    code, _, err = fairlead.type(["init"], [EOFError()])
    assert (code, err) == (1, "error: the input ended before all was answered.\n")
    assert fairlead.list_files() == []


def test_wrong_answers(fairlead, ollama):
    """Each is asked again with the reason: what is unknown, out of range, contradictory, or too much for one run."""
    wrong = ["nonsuch", "claude", "9", "0", "1 none", "all 1", ",", "anthropic openai", "1" * 5000, "\x1b[2J"]
    code, out, err = fairlead.type(["init"], [*wrong, "1 groq", "perhaps", KeyboardInterrupt()], **KEY)
    assert code == 130
    reasons = words(err)
    assert "nonsuch is not a provider fairlead knows. Known: openai, anthropic," in reasons
    assert "claude is not a provider fairlead knows. Did you mean anthropic?" in reasons
    assert "9 is none of the numbers; expected 1 to 2, or a name." in reasons
    assert reasons.count("Give numbers or names with spaces between them") == 3
    assert "anthropic and openai need a key each, and one key can be given here." in reasons
    assert "Answer y or n." in reasons
    assert "\x1b" not in err
    assert fairlead.typist.asked[:10] == ["Add which? (numbers, names, all or none) [all]: "] * 10
    assert f"1   ollama   Ollama 0.13.1 answers at http://127.0.0.1:{ollama}" in out
    assert "2   groq     Groq: a key is in $GROQ_API_KEY" in out
    assert "gsk_secret" not in out + err


def test_a_typed_key(fairlead):
    """It is asked for again, with the reason, until it can be one; it is shown nowhere."""
    wrong = ["", '"sk-ant-1"', "Bearer sk-ant-1", "ANTHROPIC_API_KEY=sk-ant-1", "a b", "fairlead", "$KEY"]
    code, out, err = fairlead.type(["init", "--backend", "anthropic"], [*wrong, "sk-ant-2\n", KeyboardInterrupt()])
    assert code == 130
    assert fairlead.typist.asked == ["Key for anthropic (not shown): "] * 8 + [
        "Start it in the background? (y/n) [y]: "
    ]
    for reason in ("is empty", "in quotes", "begins with Bearer", "Leave out ANTHROPIC_API_KEY=", "has a space"):
        assert reason in err
    assert "fairlead's own placeholder" in err
    assert "sk-ant" not in out + err


def test_a_server_that_wants_a_key(fairlead, monkeypatch):
    """Enter does not add it; where it is named, its key is asked for, or the flags of a key."""
    with model_server("vllm", answers=KEYED_VLLM) as (port, _):
        monkeypatch.setattr(local_servers, "PORTS", {"vllm": port})
        code, out, _ = fairlead.type(["init"], ["", KeyboardInterrupt()])
        assert (code, fairlead.typist.asked[0]) == (130, "Add which? (numbers, names, all or none) [none]: ")
        assert f"1   vllm   vLLM 0.14.0 answers at http://127.0.0.1:{port}, and wants a key" in out
        code, _, _ = fairlead.type(["init"], ["1", "k-1", KeyboardInterrupt()])
        assert (code, fairlead.typist.asked[1]) == (130, "Key for vllm (not shown): ")
        code, _, err = fairlead("init", "--backend", "vllm", "--proxy", "once")
        assert code == 2
        assert "--key-env VAR    the variable with the key of vllm, or --key-stdin" in err
        assert fairlead.list_files() == []
        fairlead("init", "--backend", "vllm", "--proxy", "once", "--key-env", "MINE", MINE="k-1")
    assert fairlead.backend("vllm")["accounts"] == [{"alias": "default", "key": "env:MINE"}]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--proxy", "maybe"], '--proxy is "maybe"; expected background or once.'),
        (["--backend", "nope"], "--backend: nope is not a provider fairlead knows."),
        (["--backend", ""], "--backend: Give numbers or names"),
        (["--backend", "groq,openai"], "--backend: groq and openai need a key each"),
        (["--tool", "nope"], "--tool: nope is not a tool fairlead knows."),
        (["--tool", "codx"], "Did you mean codex?"),
        (["--tool", "cursor"], "--tool: Cursor has no file that could be written."),
        (["--tool", "codex"], "--tool: Codex was not found on this machine."),
        (["--tool", "codex", "--proxy", "once"], "a tool needs a proxy that stays."),
        (["--key-env", "X"], "--key-env is for one backend that needs a key."),
        (["--backend", "ollama", "--key-env", "X"], "--key-env is for one backend that needs a key."),
        (["--backend", "groq", "--key-env", "X", "--key-cmd", "y"], "--key-env and --key-cmd cannot be used together."),
        (["anthropic"], "unexpected argument: anthropic"),
    ],
)
def test_wrong_flags(fairlead, arguments, reason):
    """Each is refused with what was expected, before anything is changed."""
    code, _, err = fairlead("init", *arguments, "--yes")
    assert code == 2
    assert reason in words(err)
    assert fairlead.list_files() == []


def test_a_broken_configuration(fairlead):
    """It is refused with its place, and nothing is asked."""
    fairlead.home.mkdir(mode=0o700)
    (fairlead.home / "config.toml").write_text("port = 3456\nhost = [\n")
    (fairlead.home / "config.toml").chmod(0o600)
    code, _, err = fairlead.type(["init"], [])
    assert code == 1
    assert "config.toml" in err
    assert "line 3, column 1" in err or "line 2" in err
    assert fairlead.list_files() == ["config.toml"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="a folder that root cannot write in")
def test_a_read_only_home(fairlead):
    """It is said before anything is asked."""
    fairlead.home.mkdir(mode=0o500)
    code, _, err = fairlead.type(["init"], [])
    fairlead.home.chmod(0o700)
    assert code == 1
    assert "cannot be written" in err


def test_what_is_there_stays(fairlead, ollama):
    """In a home that is in use nothing is added unless it is named, and nothing that is there is changed."""
    assert fairlead("backend", "add", "ollama").code == 0
    before, files = (fairlead.home / "backends" / "ollama.json").read_bytes(), fairlead.list_files()
    code, out, err = fairlead.type(["init"], ["ollama", "", KeyboardInterrupt()], **KEY)
    assert code == 130
    assert "Configured already, and left as it is: ollama." in out
    assert fairlead.typist.asked[1] == "Add which? (numbers, names, all or none) [none]: "
    assert "ollama is configured already. Change it:   fairlead backend add ollama" in err
    assert (fairlead.home / "backends" / "ollama.json").read_bytes() == before
    assert fairlead.list_files() == files


def test_a_taken_port(fairlead):
    """Where another program has the port, a proxy for the first answer is all that is offered."""
    with socket.create_server(("127.0.0.1", int(fairlead.environ["FAIRLEAD_PORT"]))) as held:
        port = held.getsockname()[1]
        code, _, err = fairlead("init", "--proxy", "background", "--yes")
        assert code == 1
        assert f"port {port} is taken by another program" in err
        assert "fairlead config set port " in err
        assert fairlead.list_files() == []


def test_tools_are_listed(fairlead, monkeypatch):
    """All tools whose program is here are offered, by number and name; none is the default."""
    able = [tool for tool in TOOLS if tool.make_changes is not None]
    # Those that are windows need have no program on PATH; their folder is there.
    programs = [tool.program for tool in able if tool.name not in ("zed", "vscode")]
    fairlead.environ["PATH"] = add_programs(fairlead, *programs)
    for folder in (".config/zed", ".config/Code/User"):
        (fairlead.folder / folder).mkdir(parents=True)
    arguments = ["init", "--backend", "none", "--proxy", "background"]
    code, out, err = fairlead.type(arguments, ["99", "nope", "cursor", KeyboardInterrupt()], COLUMNS="40")
    assert code == 130
    assert len(able) >= 12
    for number, tool in enumerate(able, 1):
        assert f"{number:>4}   {tool.name}" in out
    assert fairlead.typist.asked[0].endswith("[none]: ")
    assert f"99 is none of the numbers; expected 1 to {len(able)}, or none." in words(err)
    assert "nope is not a tool fairlead knows." in words(err)
    assert "Cursor has no file that could be written." in words(err)
    assert max(map(len, out.splitlines())) <= 40


def test_all_servers(fairlead, monkeypatch):
    """Each server of this machine stands in the list, however narrow the terminal is."""
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(model_server(name))[0] for name in SERVERS}
        monkeypatch.setattr(local_servers, "PORTS", ports)
        _, out, _ = fairlead.type(["init"], [KeyboardInterrupt()], COLUMNS="24")
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("  ") and line[2].isdigit()] == [
        [str(number), name] for number, name in enumerate(SERVERS, 1)
    ]


def add_programs(fairlead, *names):
    """Programs of these names, as the only ones on PATH; returns that PATH."""
    folder = fairlead.folder / "bin"
    folder.mkdir(exist_ok=True)
    for name in names:
        path = folder / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return str(folder)
