"""The program started again: its words, and what it says of its start."""

import os
import subprocess
import sys

import pytest

from router.errors import CommandError
from router.host.child_process import make_environment
from router.host.own_program import find_words, name_program, start_again
from router.host.starter import VARIABLE, take_starter


def test_a_link_stays_a_link(tmp_path, monkeypatch):
    """A frozen program that was called by a link is started again by it: it may lead to another version by then."""
    real = tmp_path / "versions" / "1" / "fairlead"
    real.parent.mkdir(parents=True)
    real.touch(mode=0o755)
    (tmp_path / "current").symlink_to("versions/1")
    called = tmp_path / "current" / "fairlead"
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(real))
    monkeypatch.setattr(sys, "argv", [str(called), "proxy"])
    assert find_words() == (str(called),)
    monkeypatch.setattr(sys, "argv", ["fairlead", "proxy"])
    monkeypatch.setenv("PATH", str(called.parent))
    assert find_words() == (str(called),)
    assert name_program(find_words()) == str(called)


def test_another_program_of_that_name_is_not_started(tmp_path, monkeypatch):
    """A name that leads to another file than the one that runs is not used."""
    (tmp_path / "fairlead").touch(mode=0o755)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "argv", ["fairlead", "proxy"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_words() == (sys.executable,)


def test_words_of_the_interpreter(monkeypatch):
    """The interpreter's options stay, the program's arguments do not."""
    monkeypatch.setattr(sys, "orig_argv", ["python", "-W", "error", "-m", "router", "proxy", "--port", "0"])
    monkeypatch.setattr(sys, "argv", ["/x/router/__main__.py", "proxy", "--port", "0"])
    assert find_words() == (sys.executable, "-W", "error", "-m", "router")


def test_a_file_of_the_modules_name_is_not_meant(tmp_path, monkeypatch):
    """A script becomes a whole path, the name of a module or an option's value does not."""
    monkeypatch.chdir(tmp_path)
    for name in ("router", "error", "script"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", ["x", "proxy"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-W", "error", "-m", "router", "proxy"])
    assert find_words() == (sys.executable, "-W", "error", "-m", "router")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-W", "error", "script", "proxy"])
    assert find_words() == (sys.executable, "-W", "error", str(tmp_path / "script"))


def test_environment_of_the_program_itself():
    """It keeps its settings, and loses what the loader of a frozen program sets."""
    given = {
        "FAIRLEAD_PORT": "1",
        "_PYI_ARCHIVE_FILE": "x",
        "LD_LIBRARY_PATH": "/tmp/_MEI",
        "LD_LIBRARY_PATH_ORIG": "/l",
    }
    assert make_environment(given, own=True) == {"FAIRLEAD_PORT": "1", "LD_LIBRARY_PATH": "/l"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("print('fairlead 0.0.1   already serving')", "said something unexpected: fairlead 0.0.1   already serving"),
        ('print(\'{"kind": "other"}\')', "said something unexpected"),
    ],
)
def test_a_program_that_says_nothing_known(code, said):
    """What ends without a report, or is of another version, is a failure with what came of it."""
    program = start_again([sys.executable, "-c", code], [], os.environ, log=subprocess.DEVNULL)
    report = program.read_report()
    program.kill()
    assert report.kind == "failed"
    assert said in report.message


def test_a_program_that_says_it_failed(tmp_path):
    """It is left to end, since its loader may have files to remove; one that does not end is killed."""
    code = "import sys, time; print('{\"kind\": \"failed\"}', flush=True); time.sleep(0.3); open(sys.argv[1], 'w')"
    program = start_again([sys.executable, "-c", code, str(tmp_path / "done")], [], os.environ, log=subprocess.DEVNULL)
    assert program.read_report().kind == "failed"
    program.kill()
    assert (tmp_path / "done").exists()


def test_no_starter():
    """Without the variable nothing is taken over."""
    assert take_starter({}) is None


@pytest.mark.parametrize("value", ["", "x", "{}", '{"sockets": ["a"]}'])
def test_a_variable_that_no_starter_set(value):
    """It is an error that names it, and the variable is gone."""
    environ = {VARIABLE: value}
    with pytest.raises(CommandError) as caught:
        take_starter(environ)
    assert VARIABLE in str(caught.value)
    assert environ == {}


@pytest.mark.parametrize("value", ["[99999]", "[-1]", "[0]", "[1]", "[2]", "[3]", "[4, 4]", "[5]"])
def test_descriptors_that_no_starter_hands_over(value):
    """With pipes in their places too: a closed descriptor, a standard one, a file or a pipe is no socket."""
    code = (
        "import os, socket, sys\n"
        "from router.errors import CommandError\n"
        "from router.host.starter import take_starter\n"
        "os.dup2(os.open(os.devnull, os.O_RDONLY), 3)\n"
        "os.dup2(socket.socket().detach(), 4)\n"
        "os.dup2(os.pipe()[0], 5)\n"
        "try:\n"
        "    take_starter(os.environ)\n"
        "except CommandError as error:\n"
        "    print(error, file=sys.stderr)\n"
    )
    environ = {**os.environ, VARIABLE: f'{{"sockets": {value}}}'}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=True, input=b"", capture_output=True, env=environ)
    assert VARIABLE.encode() in done.stderr, done.stderr
    assert done.stdout == b""
