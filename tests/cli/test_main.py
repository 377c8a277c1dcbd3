"""The command line as a whole: what is known, what is suggested, and how failures look."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from router import __version__, cli
from router.cli import COMMANDS, main
from router.errors import CommandError

from ..patience import PATIENCE

BACKEND_COMMANDS = ("add", "list", "remove", "test")
HELPS = [[], *([name] for name in COMMANDS), *(["backend", name] for name in BACKEND_COMMANDS)]


def test_alone_it_prints_help_and_fails(fairlead):
    """`fairlead` alone names every command and exits 2."""
    code, out, err = fairlead()
    assert (code, err) == (2, "")
    assert all(re.search(rf"^  {name} ", out, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_version(fairlead, arguments):
    """The version is one line."""
    assert fairlead(*arguments) == (0, f"fairlead {__version__}\n", "")


def test_every_command_has_a_purpose():
    """The overview and README list each command once."""
    listed = [name for names in cli.PURPOSES.values() for name in names]
    assert sorted(listed) == sorted(cli.COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["prox"], "Did you mean:   fairlead proxy"),
        (["modles", "--json"], "Did you mean:   fairlead models"),
        (["--verison"], "Did you mean:   fairlead --version"),
        (["zzz"], "See:   fairlead --help"),
        (["backend", "ad"], "Did you mean:   fairlead backend add"),
        (["proxy", "--prot", "1"], "Did you mean --port?"),
        (["proxy", "--timeout-idle=3"], "Did you mean --timeouts-idle?"),
        (["env", "--zzz"], "See:   fairlead env --help"),
        (["env", "extra"], "See:   fairlead env --help"),
        (["env", "--shell", "zshh"], "See:   fairlead env --help"),
        (["backend", "remove"], "See:   fairlead backend remove --help"),
        (["proxy", "--port"], "See:   fairlead proxy --help"),
    ],
)
def test_usage_error_suggests_what_is_right(capsys, monkeypatch, arguments, hint):
    """A command line that makes no sense exits 2 and suggests the nearest thing that does."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(rf"error: .+\n       {re.escape(hint)}\n", err)


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_names_only_what_exists(capsys, arguments):
    """Every help has an example, and names no command and no option that this build lacks."""
    assert main(["help", *arguments]) == 0
    text = capsys.readouterr().out
    assert arguments == [] or "example" in text
    for name, sub in re.findall(r"fairlead ([a-z]+)(?: ([a-z]+))?", text):
        assert name in (*COMMANDS, "help")
        assert name != "backend" or sub in ("", *BACKEND_COMMANDS)
    known = _flags(capsys)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text.replace("-\n", "-"))) <= known


def _flags(capsys):
    found = {"--help", "--version", "--key-stdin"}
    for arguments in [*(["help", *one] for one in HELPS), ["--plain", "--help"]]:
        main(arguments)
        found |= set(re.findall(r"^  (?:-\w(?: [A-Z]+)?, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    return found


def test_interrupt_is_quiet(monkeypatch, capsys):
    """Ctrl-C ends a command without words, also out of a nursery."""

    def interrupted(name):
        raise BaseExceptionGroup("nursery", [KeyboardInterrupt()])

    monkeypatch.setattr(cli, "import_module", interrupted)
    assert main(["stop"]) == 130
    assert capsys.readouterr() == ("", "")


def test_error_out_of_a_nursery_is_shown_as_any_other(monkeypatch, capsys):
    """A command's error looks the same whether or not a nursery wrapped it."""

    def failing(name):
        raise ExceptionGroup("nursery", [CommandError("no.", "Do this.\nOr that.")])

    monkeypatch.setattr(cli, "import_module", failing)
    assert main(["stop"]) == 1
    assert capsys.readouterr().err == "error: no.\n       Do this.\n       Or that.\n"


def test_bug_shows_no_traceback_unless_asked(monkeypatch, capsys):
    """A defect is said in two lines, naming how to see more; FAIRLEAD_TRACEBACK=1 shows all."""

    def broken(name):
        raise ValueError("a secret could stand here")

    monkeypatch.setattr(cli, "import_module", broken)
    assert main(["stop"]) == 1
    text = capsys.readouterr().err
    assert "ValueError" in text
    assert "FAIRLEAD_TRACEBACK=1" in text
    assert "secret" not in text
    monkeypatch.setenv("FAIRLEAD_TRACEBACK", "1")
    with pytest.raises(ValueError, match="stand here"):
        main(["stop"])


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_reader_that_leaves_is_no_error(fairlead):
    """`fairlead … | head` ends quietly."""
    read, write = os.pipe()
    os.close(read)
    line = [sys.executable, "-m", "router", "help", "proxy"]
    done = subprocess.run(
        line, check=False, stdout=write, stderr=subprocess.PIPE, env=fairlead.environ, timeout=PATIENCE
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
@pytest.mark.parametrize("argv", [["--version"], ["--help"], ["config", "show"], ["models"], ["usage"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk(fairlead, argv, unbuffered):
    """Output that cannot be written is said to be just that, in one line, and is a failure."""
    line = [sys.executable, "-m", "router", *argv]
    environ = {**fairlead.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, check=False, stdout=full, stderr=subprocess.PIPE, env=environ, timeout=PATIENCE)
    assert done.returncode == 1
    said = done.stderr.decode().splitlines()
    assert said[-1] == "error: the output cannot be written: No space left on device."
    assert not any("Traceback" in one or "ignored" in one for one in said)


def test_env_is_cheap(fairlead):
    """`fairlead env`, which shells run at each start, imports no network library."""
    script = "import sys; from router.cli import main; main(['env']); print('imported', *sys.modules)"
    line = [sys.executable, "-c", script]
    done = subprocess.run(line, check=False, capture_output=True, text=True, env=fairlead.environ, timeout=PATIENCE)
    imported = set(done.stdout.splitlines()[-1].split())
    assert {"imported", "router.cli.env"} <= imported
    assert not imported & {"trio", "httpx", "h11", "ssl"}


UNPRIVILEGED = """
import os, sys
from router.cli import main
# Once with rights, so that all modules are loaded before they go.
assert main(sys.argv[2:]) == 0
os.environ["FAIRLEAD_HOME"] = sys.argv[1]
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def closed_folder():
    """A folder every user can enter and, once a test has closed it, none but root can write in."""
    # Not tmp_path: pytest closes its folders to other users.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if not all(parent.stat().st_mode & 0o001 for parent in folder.parents):
            pytest.skip("the folder for temporary files is closed to other users")
        yield folder
        folder.chmod(0o755)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX users")
@pytest.mark.parametrize("state", ["missing", "read-only"])
def test_home_that_cannot_be_written(fairlead, closed_folder, state):
    """A home this user may not write is an error that names the folder and another choice."""
    target = closed_folder / "home"
    if state == "read-only":
        target.mkdir(mode=0o500)
        if os.getuid() == 0:
            os.chown(target, 65534, 65534)
    closed_folder.chmod(0o555)
    line = [sys.executable, "-c", UNPRIVILEGED, str(target), "env"]
    environ = {**fairlead.environ, "FAIRLEAD_REQUIRE_KEY": "on"}
    done = subprocess.run(line, check=False, capture_output=True, text=True, env=environ, timeout=PATIENCE)
    assert done.returncode == 1
    assert f"error: {target}" in done.stderr
    assert "Permission denied" in done.stderr
    assert "FAIRLEAD_HOME=" in done.stderr
    assert "Traceback" not in done.stderr
