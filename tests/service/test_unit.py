"""The unit of systemd: its text, and that systemd and fairlead read it alike."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.service.definition import Wanted, judge
from router.service.unit import find_home, find_log, find_program, make_unit

GOLDEN = """[Unit]
Description=fairlead, local LLM router
Documentation=https://x.example
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
ExecStart=/home/u/.local/bin/fairlead proxy
ExecReload=kill -HUP $MAINPID
Environment=FAIRLEAD_SERVICE=systemd
Environment=FAIRLEAD_HOME=/home/u/other
Environment=PATH=/home/u/.local/bin:/usr/bin
EnvironmentFile=/home/u/keys.env
Environment=FAIRLEAD_SERVICE_LOG=/home/u/other/proxy.log
StandardOutput=append:/home/u/other/proxy.log
StandardError=inherit
Restart=on-failure
RestartSec=2
# The command line or the configuration is wrong: starting again does not help.
RestartPreventExitStatus=2 78
WatchdogSec=60
# Open answers have 10 seconds to end.
TimeoutStopSec=15
KillMode=mixed
UMask=0077
LimitNOFILE=1024:65536
LimitCORE=0
NoNewPrivileges=true
LockPersonality=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native

[Install]
WantedBy=default.target
"""
WANTED = Wanted(
    ("/home/u/.local/bin/fairlead",),
    home=Path("/home/u/other"),
    path="/home/u/.local/bin:/usr/bin",
    env_file=Path("/home/u/keys.env"),
    log=Path("/home/u/other/proxy.log"),
)


def make(wanted):
    return make_unit(wanted, documentation="https://x.example")


def test_the_whole_text():
    """What is written, line for line; its last line is the mark."""
    text, mark = make(WANTED).removesuffix("\n").rsplit("\n", 1)
    assert f"{text}\n" == GOLDEN
    assert mark.startswith("# fairlead service unit 1, sha256 ")
    assert judge(make(WANTED)) == "current"


def test_the_least():
    """Without a home of its own, keys in a file and a log file, the manager's own ways are left alone."""
    text = make(Wanted(("/usr/bin/fairlead",)))
    assert not [line for line in text.splitlines() if "HOME" in line or "PATH" in line or "Standard" in line]
    assert "NotifyAccess" not in text
    assert find_log(text) == find_home(text) == ""


def test_a_loader_and_no_hardening():
    """A child of what is started may notify then; programs with rights of their own keep them."""
    text = make(WANTED._replace(loader=True, hardened=False))
    assert "NotifyAccess=all\n" in text
    assert not [line for line in text.splitlines() if line.startswith(("NoNew", "Lock", "Restrict", "SystemCall"))]


@pytest.mark.parametrize("path", ["/a\nb", "/a\x1b[2J", "/a\udcff", "/a\u202eb"])
def test_paths_that_no_unit_holds(path):
    """A line end would begin another setting; what cannot be shown cannot be checked by who reads it."""
    with pytest.raises(CommandError, match="has a character"):
        make(WANTED._replace(words=(path,)))
    with pytest.raises(CommandError, match="has a character"):
        make(WANTED._replace(path=path))


def test_a_wildcard():
    """systemd would look for files that fit."""
    with pytest.raises(CommandError, match="cannot hold in this place"):
        make(WANTED._replace(env_file=Path("/a/*.env")))


def as_paths():
    """Absolute paths of characters that can be shown."""
    return (
        st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() and "\0" not in text).map("/{}".format)
    )


@given(as_paths(), as_paths())
def test_what_is_written_is_read(program, home):
    """Whatever characters a path has, it comes back."""
    program = program.translate(str.maketrans("", "", "\"'\\"))
    text = make(Wanted((program,), home=Path(home)))
    assert (find_program(text), find_home(text)) == (program, str(Path(home)))
    assert judge(text) == "current"


FOLDERS = ("plain", "with space", "100%h", "$HOME", "ä{};#", "-@x", 'quo"te', "it's", "back\\slash")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("folder", FOLDERS)
def test_systemd_takes_it(tmp_path, folder):
    """Its checker knows every line, and finds the program; on stderr, since it ends with 0 after unknown words too."""
    program = tmp_path / folder / "fairlead"
    program.parent.mkdir()
    program.symlink_to(shutil.which("true"))
    home = tmp_path / folder
    wanted = Wanted((str(program),), home=home, path=f"{home}:/usr/bin")
    if set(folder) & set("\"'\\"):
        with pytest.raises(CommandError, match="no program with such a path"):
            make(wanted)
        wanted = wanted._replace(words=(shutil.which("true"),))
    if "\\" not in folder:
        wanted = wanted._replace(log=home / "log", env_file=home / "keys")
    assert verify(tmp_path, make(wanted)) == (0, "")
    assert "fairlead2" in verify(tmp_path, make(wanted._replace(words=(f"{tmp_path}/fairlead2",))))[1]


def verify(folder, text):
    """What `systemd-analyze verify` says of a unit."""
    unit = folder / "fairlead.service"
    unit.write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "--user", "verify", str(unit)]
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(folder)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
