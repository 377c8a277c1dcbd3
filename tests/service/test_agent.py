"""The agent of launchd: what plistlib reads is what was meant."""

import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.service.agent import find_entries, make_agent
from router.service.definition import Wanted, judge

WANTED = Wanted(
    ("/opt/homebrew/bin/fairlead",),
    home=Path("/Users/u/<other> & more"),
    path="/opt/homebrew/bin:/usr/bin",
    env_file=Path("/Users/u/keys.env"),
    log=Path("/Users/u/Library/Logs/fairlead.log"),
)


def test_all_entries():
    """As launchd.plist(5) names them, with the values that keep a proxy up, and let a stopped one be."""
    assert plistlib.loads(make_agent(WANTED).encode()) == {
        "Label": "dev.fairlead.proxy",
        "ProgramArguments": ["/opt/homebrew/bin/fairlead", "proxy"],
        "EnvironmentVariables": {
            "FAIRLEAD_SERVICE": "launchd",
            "FAIRLEAD_SERVICE_LOG": "/Users/u/Library/Logs/fairlead.log",
            "FAIRLEAD_HOME": "/Users/u/<other> & more",
            "PATH": "/opt/homebrew/bin:/usr/bin",
            "FAIRLEAD_SERVICE_ENV": "/Users/u/keys.env",
        },
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False, "Crashed": True},
        "ThrottleInterval": 10,
        "ProcessType": "Interactive",
        "StandardOutPath": "/Users/u/Library/Logs/fairlead.log",
        "StandardErrorPath": "/Users/u/Library/Logs/fairlead.log",
        "SoftResourceLimits": {"NumberOfFiles": 1024, "Core": 0},
        "HardResourceLimits": {"NumberOfFiles": 10240, "Core": 0},
        "ExitTimeOut": 15,
        "Umask": 63,
    }


@pytest.mark.skipif(shutil.which("plutil") is None, reason="needs plutil")
def test_plutil_takes_it(tmp_path):
    """The system's own checker finds nothing."""
    path = tmp_path / "agent.plist"
    path.write_text(make_agent(WANTED), encoding="utf-8")
    subprocess.run(["plutil", "-lint", str(path)], check=True)


def test_a_path_that_no_agent_holds():
    """XML has no form for control characters."""
    with pytest.raises(CommandError, match="has a character"):
        make_agent(WANTED._replace(words=("/a\x01b",)))


@given(st.text(min_size=1, max_size=30).filter(str.isprintable))
def test_what_is_written_is_read(text):
    """Whatever characters a path has, it comes back, and the mark holds."""
    path = Path(f"/{text}")
    made = make_agent(Wanted((f"/{text}",), home=path, log=path))
    assert find_entries(made) == (f"/{text}", str(path), str(path))
    assert judge(made) == "current"


@pytest.mark.parametrize(
    "text", ["", "<plist>", "no xml", "<plist><array/></plist>", "<plist><dict><key>a</key></dict></plist>"]
)
def test_what_is_no_agent(text):
    """An edited file may hold anything."""
    assert find_entries(text) == ("", "", "")
