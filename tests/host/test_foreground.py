"""A program in the foreground: what it inherits, which signals reach it, and how its end is told."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from router.errors import CommandError
from router.host.foreground import find_program
from tests.host.job_terminal import JobTerminal

from ..patience import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="terminals, signals and /proc")

PROGRAM = str(Path(__file__).with_name("scripted_program.py"))
ROOT = Path(__file__).parents[2]
# What `fairlead run` does around a program, without a proxy.
WRAPPER = """
import os, sys
from router.host.foreground import end_as, find_program, run_in_foreground
from router.errors import CommandError
try:
    ended = run_in_foreground(find_program(sys.argv[1], os.environ), sys.argv[1:], os.environ)
except CommandError as error:
    print(f"{error} {error.hint}", file=sys.stderr)
    sys.exit(error.exit_code)
print("summary", file=sys.stderr, flush=True)
end_as(ended)
sys.exit(ended.code)
"""
ENVIRON = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


def wrap(*words):
    return [sys.executable, "-c", WRAPPER, *words]


def start(tmp_path, *order, **options):
    lines = tmp_path / "lines"
    words = wrap(sys.executable, PROGRAM, str(lines), *order)
    return JobTerminal(words, lines, ENVIRON, tmp_path, **options)


@pytest.fixture
def job(tmp_path):
    started = []

    def begin(*order, **options):
        started.append(start(tmp_path, *order, **options))
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.mark.parametrize(
    ("order", "code"),
    [(("exit", "0"), 0), (("exit", "1"), 1), (("exit", "7"), 7), (("exit", "255"), 255)]
    + [(("die", str(number)), 128 + number) for number in (2, 9, 15)],
)
def test_exit_code(tmp_path, order, code):
    """The exit code is the program's; 128 and the number for a signal."""
    words = wrap(sys.executable, PROGRAM, str(tmp_path / "x"), *order)
    done = subprocess.run(words, check=False, env=ENVIRON, capture_output=True)
    assert done.returncode == code, done.stderr


def test_programs_that_cannot_be_started(tmp_path):
    """127 for what is not there, 126 for what cannot be executed, each with the reason."""
    (tmp_path / "plain").write_text("text")
    (tmp_path / "lost").write_text("#!/no/such/interpreter\n")
    (tmp_path / "headless").write_bytes(b"\x00\x01")
    (tmp_path / "folder").mkdir()
    for name in ("lost", "headless"):
        (tmp_path / name).chmod(0o755)
    for name, code, text in [
        ("no-such-program-here", 127, "was not found on PATH"),
        (str(tmp_path / "none"), 127, "does not exist"),
        (str(tmp_path / "plain"), 126, "is not executable"),
        (str(tmp_path / "folder"), 126, "is a folder"),
        (str(tmp_path / "lost"), 127, "names an interpreter that does not exist"),
        (str(tmp_path / "headless"), 126, "is neither a program"),
    ]:
        done = subprocess.run(wrap(name), check=False, env=ENVIRON, capture_output=True, text=True)
        assert (done.returncode, text in done.stderr) == (code, True), (name, done.stderr)


def test_a_name_is_looked_for_in_the_given_path(tmp_path):
    """The PATH is the environment's that is given; a file that is not executable is told apart from none."""
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    with pytest.raises(CommandError) as caught:
        find_program("tool", {"PATH": str(tmp_path)})
    assert caught.value.exit_code == 126
    (tmp_path / "tool").chmod(0o755)
    assert find_program("tool", {"PATH": f"/nowhere:{tmp_path}"}) == str(tmp_path / "tool")


def test_what_a_program_inherits(tmp_path):
    """Folder, limits, group, an empty mask, default dispositions, and the shell's own descriptors; none of ours."""
    lines = tmp_path / "lines"
    given = os.open(os.devnull, os.O_RDONLY)
    words = wrap(sys.executable, PROGRAM, str(lines), "record", "a b", "")
    done = subprocess.run(words, check=False, env=ENVIRON, cwd=tmp_path, pass_fds=[given], stdin=subprocess.DEVNULL)
    os.close(given)
    assert done.returncode == 0
    [[_, found]] = [json.loads(line) for line in lines.read_text().splitlines()]
    assert found["argv"][-2:] == ["a b", ""]
    assert found["folder"] == str(tmp_path)
    assert found["blocked"] == []
    # The interpreter of the program ignores these two for itself.
    assert found["ignored"] == ["SIGPIPE", "SIGXFSZ"]
    own = found["descriptors"]
    assert given in own
    # Beside it: the standard ones, and the one that lists them.
    assert len(own) == 5


def test_ignored_signals_stay_ignored(tmp_path):
    """As under nohup: a hang-up that is ignored stays so for the program."""
    lines = tmp_path / "lines"

    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    subprocess.run(wrap(sys.executable, PROGRAM, str(lines), "record"), env=ENVIRON, preexec_fn=ignore, check=True)
    [[_, found]] = [json.loads(line) for line in lines.read_text().splitlines()]
    assert "SIGHUP" in found["ignored"]


def test_broken_pipes_end_a_program_as_usual():
    """What the interpreter ignores for itself is not ignored in the program: `yes | head` ends."""
    words = wrap("sh", "-c", "yes; echo $? >&2")
    process = subprocess.Popen(words, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    # 141: 128 and SIGPIPE. An ignored one would be a write error, 1.
    assert process.stderr.read().splitlines()[0] == "141"
    process.stderr.close()
    process.wait(PATIENCE)


def test_ctrl_c_comes_once(job):
    """Ctrl-C reaches the program once, in the group that has the terminal, and this process stays until it ends."""
    terminal = job("wait", "SIGQUIT")
    _, number = terminal.answer()
    [[_, found]] = terminal.written(1)
    assert found["group"] == number == found["parent"]
    assert found["foreground"]
    terminal.type(b"\x03")
    terminal.written(2)
    terminal.type(b"\x03")
    terminal.written(3)
    terminal.type(b"\x1c")
    told = [line[1] for line in terminal.written(4)[1:]]
    assert told == ["SIGINT", "SIGINT", "SIGQUIT"]
    assert terminal.answer() == ["ended", 5]


def test_a_program_that_ctrl_c_ends_ends_this_process_so(job):
    """The shell sees that it was Ctrl-C, so that a script stops too; the summary comes before that."""
    terminal = job("die", "2")
    terminal.answer()
    assert terminal.answer() == ["ended", -signal.SIGINT]
    assert "summary" in terminal.read()


def test_ctrl_z_and_fg(job):
    """Ctrl-Z stops both, and the shell's fg continues both, once."""
    terminal = job("wait", "SIGTERM")
    _, number = terminal.answer()
    terminal.written(1)
    terminal.type(b"\x1a")
    assert terminal.answer() == ["stopped", signal.SIGTSTP]
    terminal.resume()
    terminal.written(2)
    os.kill(number, signal.SIGTERM)
    assert [line[1] for line in terminal.written(3)[1:]] == ["SIGCONT", "SIGTERM"]
    assert terminal.answer() == ["ended", 5]


def test_window_size(job):
    """A new size of the terminal reaches the program once, with the size."""
    terminal = job("wait", "SIGTERM")
    _, number = terminal.answer()
    terminal.written(1)
    terminal.resize(33, 101)
    terminal.written(2)
    os.kill(number, signal.SIGTERM)
    assert terminal.written(3)[1:] == [["signal", "SIGWINCH", 101, 33], ["signal", "SIGTERM", 101, 33]]


def test_signals_to_this_process_alone_are_passed_on(job):
    """SIGTERM and SIGHUP of kill(1) reach the program, others do not."""
    terminal = job("wait", "SIGTERM")
    _, number = terminal.answer()
    terminal.written(1)
    os.kill(number, signal.SIGHUP)
    terminal.written(2)
    os.kill(number, signal.SIGTERM)
    assert [line[1] for line in terminal.written(3)[1:]] == ["SIGHUP", "SIGTERM"]
    assert terminal.answer() == ["ended", 5]


def test_a_closed_terminal_is_told_once(job):
    """When the window is closed, the program gets one SIGHUP, from the kernel, when the leader of the session ends."""
    terminal = job("wait")
    terminal.answer()
    [[_, found]] = terminal.written(1)
    terminal.hang_up()
    os.kill(terminal.pid, signal.SIGKILL)
    told = terminal.written(2)
    assert told[1][1] == "SIGHUP"
    # Whatever was passed on would have come before this one.
    os.kill(found["pid"], signal.SIGUSR1)
    names = [line[1] for line in terminal.written(3)[1:]]
    while "SIGUSR1" not in names:
        names = [line[1] for line in terminal.written(len(names) + 2)[1:]]
    assert names.count("SIGHUP") == 1
    os.kill(found["pid"], signal.SIGKILL)


def test_the_leader_of_a_session_passes_a_hangup_on(job):
    """Started by the terminal itself, this process alone is told that the window was closed; the program is told."""
    terminal = job("wait", "SIGHUP", leads=True)
    terminal.written(1)
    terminal.hang_up()
    assert [line[1] for line in terminal.written(2)[1:] if line[1] == "SIGHUP"] == ["SIGHUP"]


def test_modes_come_back_after_a_kill(job):
    """A program that was killed in raw mode leaves the terminal as it was; one that ends itself keeps what it set."""
    terminal = job("raw")
    before = terminal.modes()
    terminal.answer()
    assert terminal.answer() == ["ended", 137]
    assert terminal.modes() == before
    other = job("leave-raw")
    other.answer()
    assert other.answer() == ["ended", 0]
    assert other.modes() != before


def test_a_program_that_ignores_signals_is_waited_for(job):
    """This process does not end before the program does, whatever it is told."""
    terminal = job("wait", "SIGUSR1")
    _, number = terminal.answer()
    [[_, found]] = terminal.written(1)
    for count in (2, 3):
        os.kill(number, signal.SIGTERM)
        terminal.written(count)
    terminal.type(b"\x03")
    terminal.written(4)
    os.kill(found["pid"], signal.SIGUSR1)
    assert terminal.answer() == ["ended", 5]
