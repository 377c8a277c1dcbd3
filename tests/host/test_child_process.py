"""Programs that fairlead starts: real ones, that hang, fork, flood and fail."""

import os
import sys
import time

import pytest
import trio

from router.errors import CommandError
from router.host.child_process import OutputLimitExceeded, ProgramTimeout, make_environment, run_program

from ..patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")


def ran(words, environ=None, *, seconds=PATIENCE, limit=65536):
    """Run a program and return what it printed."""
    environ = {"PATH": os.environ["PATH"]} if environ is None else environ

    async def main():
        return await run_program(words, environ, seconds=seconds, limit=limit)

    return trio.run(main)


def script(tmp_path, text, *, mode=0o700):
    """A program of its own."""
    path = tmp_path / "program"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def gone(pid):
    """Wait until a process that was killed has ended; False when it goes on."""
    end = time.monotonic() + 5
    while (runs := running(pid)) and time.monotonic() < end:
        time.sleep(0.01)
    return not runs


def running(pid):
    """True while a process is there and not a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_and_code():
    """What a program prints on both pipes, and how it ended."""
    ended = ran(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert ended == (3, b"out\n", b"err\n")
    assert ran(["sh", "-c", "kill -9 $$"]).code == -9


def test_words_reach_the_program_as_they_are():
    """No shell takes them apart."""
    words = ["a b", "$HOME", "*", "`id`", "|", ";", "", "é"]
    assert ran(["printf", "<%s>", *words]).out.decode() == "".join(f"<{word}>" for word in words)


def test_input_is_closed_and_folder_is_the_user_s(tmp_path):
    """Nothing is read from the terminal, and the proxy's folder does not matter."""
    environ = {"PATH": os.environ["PATH"]}
    assert ran(["cat"], environ).out == b""
    assert ran(["pwd"], environ).out.decode().strip() == os.path.realpath(os.path.expanduser("~"))
    assert ran(["sh", "-c", "test -t 0 || echo closed; (: </dev/tty) 2>/dev/null || echo no terminal"]).out == (
        b"closed\nno terminal\n"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("parent", ["sleep 600", "wait", "trap '' TERM INT HUP; wait"])
def test_time_is_up_for_all_it_started(tmp_path, parent):
    """A program that hangs is ended with its children, even when it ignores signals."""
    pids = tmp_path / "pids"
    text = f"sleep 600 & echo $! >{pids}; sh -c 'sleep 600' & echo $! >>{pids}; {parent}"
    began = time.monotonic()
    with pytest.raises(ProgramTimeout):
        ran(["sh", "-c", text], seconds=0.5)
    assert time.monotonic() - began < PATIENCE / 2
    for pid in pids.read_text().split():
        assert gone(pid)


def test_child_that_keeps_the_pipe_is_not_waited_for():
    """A program that ended has said all it will: a password manager may leave its agent behind."""
    began = time.monotonic()
    ended = ran(["sh", "-c", "echo key; sleep 60 & exit 0"])
    assert (ended.code, ended.out) == (0, b"key\n")
    assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize("pipe", ["", ">&2"])
def test_flood_is_bounded(pipe):
    """10 MB on standard output end the program; on standard error they are read away."""
    words = ["sh", "-c", f"head -c 10000000 /dev/zero {pipe}; echo done"]
    if not pipe:
        with pytest.raises(OutputLimitExceeded):
            ran(words)
    else:
        ended = ran(words)
        assert (ended.out, len(ended.err)) == (b"done\n", 65536)


def test_endless_output_ends():
    """A program that never stops printing is ended at the bound, not at its time."""
    began = time.monotonic()
    with pytest.raises(OutputLimitExceeded):
        ran(["yes"], seconds=60)
    assert time.monotonic() - began < PATIENCE / 2


def test_what_cannot_be_started_is_named(tmp_path):
    """A program that is missing, closed or broken is named, with the reason."""
    plain = script(tmp_path, "#!/bin/sh\n", mode=0o600)
    for words, said in [
        (["no-such-program-here"], "no-such-program-here was not found on PATH"),
        ([str(tmp_path / "missing")], "missing does not exist"),
        ([str(tmp_path)], "is not executable by this user"),
        ([plain], "is not executable by this user"),
        ([plain + "/x"], "cannot be started|is not executable"),
        (["x" * 5000], "cannot be started"),
    ]:
        with pytest.raises(CommandError, match=said):
            ran(words)
    with pytest.raises(CommandError, match="interpreter that does not exist"):
        ran([script(tmp_path, "#!/no/such/interpreter\n")])


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder that is closed to this user")
def test_a_closed_folder_on_path(tmp_path, monkeypatch):
    """A name that is in no open folder of PATH was not found; one that is there without the right to run it is named
    so."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    monkeypatch.setenv("PATH", f"{closed}:{tmp_path}")
    with pytest.raises(CommandError, match="tool was not found on PATH, of which this user may not read every folder"):
        ran(["tool"])
    (tmp_path / "tool").touch(mode=0o600)
    with pytest.raises(CommandError, match="tool is not executable by this user"):
        ran(["tool"])


def test_program_without_a_first_line_cannot_be_started(tmp_path):
    """No shell is tried in its place."""
    with pytest.raises(CommandError, match="cannot be started"):
        ran([script(tmp_path, "echo sk-secret\n")])


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_cancelled_program_is_ended(tmp_path):
    """A proxy that stops leaves no program behind."""
    pids = tmp_path / "pids"

    async def main():
        with trio.move_on_after(0.5):
            words = ["sh", "-c", f"sleep 600 & echo $! >{pids}; wait"]
            await run_program(words, {"PATH": os.environ["PATH"]}, seconds=60, limit=100)

    trio.run(main)
    assert gone(pids.read_text().strip())


def test_environment_is_that_of_the_user():
    """fairlead's own variables and the frozen binary's are taken out, library paths put back, all others stay."""
    user = {"PATH": "/bin", "HOME": "/home/me", "LANG": "C.UTF-8", "DISPLAY": ":0", "VAULT_TOKEN": "t", "OP_X": "1"}
    own = {
        "FAIRLEAD_API_KEY": "secret",
        "FAIRLEAD_HOME": "/x",
        "_PYI_ARCHIVE_FILE": "/opt/fairlead",
        "_PYI_PARENT_PROCESS_LEVEL": "1",
        "_MEIPASS2": "/tmp/_MEI1",
        "PYINSTALLER_RESET_ENVIRONMENT": "1",
    }
    bundled = {"LD_LIBRARY_PATH": "/opt/fairlead/_internal"}
    assert make_environment({**user, **own, **bundled}) == user
    original = {"LD_LIBRARY_PATH_ORIG": "/opt/mine"}
    assert make_environment({**user, **own, **bundled, **original}) == {**user, "LD_LIBRARY_PATH": "/opt/mine"}
    # Without a frozen binary the variable is the user's own.
    assert make_environment({**user, "LD_LIBRARY_PATH": "/nix/lib"}) == {**user, "LD_LIBRARY_PATH": "/nix/lib"}


def test_environment_arrives():
    """A program sees just that."""
    environ = {"PATH": os.environ["PATH"], "MINE": "1", "FAIRLEAD_API_KEY": "secret", "_PYI_X": "1"}
    names = {line.partition("=")[0] for line in ran(["env"], environ).out.decode().splitlines()}
    assert names - {"_", "PWD", "SHLVL"} == {"PATH", "MINE"}
