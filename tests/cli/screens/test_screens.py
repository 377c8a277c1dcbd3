"""The output of every command on terminals of 40, 80 and 200 columns and in a pipe.

`FAIRLEAD_WRITE_GOLDEN=1` writes the files beside this one."""

import difflib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

import router
from router.cli import COMMANDS
from router.cli.accounts import commands as accounts
from router.cli.backend import commands as backend
from router.cli.common.layout import NAMES
from router.cli.config import show as config
from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry
from router.store.history.record import History
from router.store.home import run_files
from router.store.home.home import open_home

from ...patience import PATIENCE
from ..conftest import Command
from ..inspect.test_why import FAILED
from .scenes import AFTER, BEFORE, FILES, ON_EMPTY_HOME, RUNNING, Scene

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths and shells are others there")

HERE = Path(__file__).parent
WIDTHS = ("40", "80", "200", "pipe")
GROUPS = {
    "backend": backend._COMMANDS,
    "accounts": accounts._COMMANDS,
    "config": config._COMMANDS,
    "history": ("export", "clear"),
}
LEAVES = [
    *(name for name in COMMANDS if name not in GROUPS),
    *(f"{group} {name}" for group, names in GROUPS.items() for name in names),
]
HELP = [Scene("--help"), *(Scene(f"{name} --help") for name in (*GROUPS, *LEAVES))]
SCENES = [*HELP, *ON_EMPTY_HOME, *BEFORE, *RUNNING, *AFTER]
#: What a command begins with, in a line of its own.
WHOLE = re.compile(r"\s*(?:(?:error: )?\S+$|`?fairlead |export |unset |codex\(\)|eval |--|/|~/|- )")
COMMAND = re.compile(rf"fairlead (?:{'|'.join(NAMES)})\b[^.,;:)`\n]*?(?=\s*(?:[.,;:)`]|   |$))", re.MULTILINE)


def replace_varying(text, folder, ports):
    """The text with values of the same length in place of those that differ from run to run."""
    for number, port in enumerate(ports, 50_001):
        text = text.replace(str(port), str(number))
    text = text.replace(folder, "/tmp/fl-abcdefgh").replace(router.__version__, "0.1.0")
    text = re.sub(
        r"fairlead 0\.1\.0\s+http://\S+\s+serving for.*?pid \d+",
        lambda found: re.sub(r"[\d.]+( m?s\b|$)", r"N\1", " ".join(found[0].split())),
        text,
        flags=re.DOTALL,
    )
    # Below a second it is told in ms.
    text = text.replace("N ms", "N s")
    text = re.sub(r"\(pid \d+\)", "(pid N)", text)
    text = re.sub(r"(reached in|ok|same|failed|events) +[\d.]+ m?s\b", r"\1 N ms", text)
    # The columns of the demo's table are as wide as its times.
    columns = r"^  (?:asked in|messages|chat|responses|gemini)  +(?:messages|ok|same).*$"
    text = re.sub(
        columns, lambda found: "  " + "   ".join(re.split(" {2,}", found[0].strip())), text, flags=re.MULTILINE
    )
    text = re.sub(r"(requests? in) [\d.]+ m?s\b", r"\1 N s", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-01-01 00:00:00", text)
    # The line of progress, which goes before the command ends.
    text = re.sub(r"\r  \d+ of \d+   [^\n]*\r *\r", "", text)
    return re.sub(r"\b\d{10}(\.\d+)?\b", "TIME", text)


def write_history(folder):
    """Two requests: one served, one that failed."""
    ledger = Ledger(open_home({"FAIRLEAD_HOME": f"{folder}/home"}), print)
    history = History(ledger, lambda entry: (3_410_000_000, "genai-prices 1"), lambda: 30)
    common = {"method": "POST", "path": "/v1/messages", "started": time.time() - 60}
    served = {"model": "claude-opus-5", "backend": "box", "account": "default", "client": "claude-code", "attempts": 1}
    tokens = {"tokens_in": 1840, "tokens_out": 2205, "cache_read": 96_210, "billing": "five_hour", "utilisation": 0.82}
    history.add(
        HistoryEntry(
            **common,
            **served,
            **tokens,
            id="req_0000000000000000000b",
            protocol="messages",
            status=200,
            first_byte=0.9,
            total=41.2,
            stream=True,
            notes="model renamed; usage asked for",
        )
    )
    history.add(HistoryEntry(**{**FAILED, **common, "id": "req_0000000000000000000c"}))
    ledger.close(10)


def run(fairlead, scenes, environ, provider, proxy=0):
    """The lines of each scene: the command, its output, and what it wrote on stderr."""
    jobs = [
        {
            "argv": shlex.split(scene.line.replace("URL", provider.url).replace("PROXY", str(proxy))),
            "stdin": scene.stdin,
            "environ": dict(scene.environ),
        }
        for scene in scenes
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.screens.driver"],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        env={**fairlead.environ, **environ, "PYTHONPATH": str(HERE.parents[2])},
        cwd=fairlead.folder,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return {scene.line: said for scene, said in zip(scenes, json.loads(done.stdout), strict=True)}


def play(width, provider):
    """Scene -> what was printed at this width."""
    folder = tempfile.mkdtemp(prefix="fl-", dir="/tmp")
    fairlead = Command(Path(folder))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    # It is noon there: what was spent a minute ago was spent today.
    noon = f"TST{time.gmtime().tm_hour - 12:+d}"
    environ = {"FAIRLEAD_PORT": str(port), "TZ": noon, "NO_COLOR": "1", "PYTHONUTF8": "1"}
    if width != "pipe":
        environ["COLUMNS"] = width
    try:
        for name, text in FILES.items():
            Path(folder, name).write_text(text)
        found = run(fairlead, [*HELP, *ON_EMPTY_HOME], environ, provider)
        write_history(folder)
        found |= {f"{line} ": said for line, said in run(fairlead, BEFORE, environ, provider).items()}
        # The proxy is given another one: the two are told apart.
        with socket.create_server(("127.0.0.1", port)):
            process = fairlead.start("proxy", "--port", "0", **environ)
        [entry] = run_files.live(open_home(fairlead.environ))
        found["proxy "] = [0, "\n".join(process.lines) + "\n", ""]
        running = run(fairlead, RUNNING, environ, provider, entry.port)
        assert process.wait(PATIENCE) == 0
        found |= {f"{line}  ": said for line, said in running.items()}
        found |= {f"{line}   ": said for line, said in run(fairlead, AFTER, environ, provider).items()}
    finally:
        fairlead.close()
        shutil.rmtree(folder)
    ports = (provider.server_port, entry.port, port)
    return {
        line.replace("PROXY", "50002"): [code, *(replace_varying(text, folder, ports) for text in texts)]
        for line, (code, *texts) in found.items()
    }


def format_screens(found):
    """One text of all screens."""
    lines = []
    for line, (code, out, err) in found.items():
        lines += [f"$ fairlead {line.strip()}" + (f"   # exit code {code}" if code else ""), out.rstrip("\n")]
        lines += ["--- stderr", err.rstrip("\n")] if err else []
        lines.append("")
    return "\n".join(part for part in lines) + "\n"


@pytest.fixture(scope="module")
def played():
    """Width -> its screens, played once."""
    return {}


@pytest.fixture
def screens(played, provider):
    def play_once(width):
        if width not in played:
            played[width] = play(width, provider)
        return played[width]

    return play_once


@pytest.mark.parametrize("width", WIDTHS)
def test_golden(screens, width):
    """Each screen is as it was looked at and found good."""
    found, file = format_screens(screens(width)), HERE / f"{width}.txt"
    if os.environ.get("FAIRLEAD_WRITE_GOLDEN"):
        file.write_text(found, "utf-8")
    differences = [*difflib.unified_diff(file.read_text("utf-8").splitlines(), found.splitlines(), lineterm="", n=2)]
    assert not differences, "\n".join(differences[:60])


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_lines_fit(screens, width):
    """No line is longer than the terminal is wide, but for one that is a command, an address or a path."""
    long = [
        (name, line)
        for name, (_, out, err) in screens(width).items()
        for line in (out + err).splitlines()
        if len(line) > int(width) and not WHOLE.match(line) and not is_data(name)
    ]
    assert long == []


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_commands_stay_whole(screens, width):
    """A command that a pipe gets is on one line of a terminal too, so that it can be copied."""
    narrow = screens(width)
    broken = [
        (name, command)
        for name, (_, *texts) in screens("pipe").items()
        for command in COMMAND.findall("".join(texts))
        if command not in "".join(narrow[name][1:]) and "usage: " not in "".join(texts)
    ]
    assert broken == []


def is_data(name):
    """True for output that programs read, and for lines of a file that a program reads."""
    return name.strip() in ("history export", "config export", "completions fish", "setup claude-code --print")


def test_every_command_has_a_screen():
    """None is left out; and the layout knows each command's name, so as to keep it whole."""
    played = [scene.line for scene in (*ON_EMPTY_HOME, *BEFORE, *RUNNING, *AFTER)]
    assert [name for name in LEAVES if not any(f"{line} ".startswith(f"{name} ") for line in played)] == []
    assert {*NAMES} == {*COMMANDS}


def test_a_terminal_that_tells_its_size(fairlead):
    """Output and errors are laid out for a real terminal, without $COLUMNS."""
    from ..terminals import on_terminal

    code, said = on_terminal(fairlead, ["models"], [], columns=40)
    assert code == 0
    assert said == (
        "No proxy is running; this is what the\n"
        "backends and config.toml list.\n"
        "No models. Add a backend:\n"
        "fairlead backend add anthropic --key-stdin\n"
    )
    code, said = on_terminal(fairlead, ["status", "--watch", "--json"], [], columns=40)
    assert code == 2
    assert said == "error: --watch and --json cannot be used\n    together.\n    See:   fairlead status --help\n"
