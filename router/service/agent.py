"""The agent of launchd, a property list: launchd.plist(5).

Rules of this file: written by plistlib, which escapes what XML must not hold; the mark is a comment behind its head.
"""

import plistlib
from typing import Any, NamedTuple, cast
from xml.parsers.expat import ExpatError

from router.host.service.managed import ENV_VARIABLE, LABEL, LOG_VARIABLE, VARIABLE
from router.service.definition import Wanted, check_text, make_mark

_HEAD_LINES = 2
#: As many descriptors as launchd allows a program by default are too few: 256. The proxy raises its own up to the hard
#: limit, and what it starts gets the first number.
_FILES, _MOST_FILES = 1024, 10240


def make_agent(wanted: Wanted) -> str:
    """The agent's text, with its mark. Raises CommandError for a path that none can hold."""
    assert wanted.log is not None
    variables = {VARIABLE: "launchd", LOG_VARIABLE: str(wanted.log)}
    if wanted.home is not None:
        variables["FAIRLEAD_HOME"] = str(wanted.home)
    if wanted.path:
        variables["PATH"] = wanted.path
    if wanted.env_file is not None:
        variables[ENV_VARIABLE] = str(wanted.env_file)
    check_text([*wanted.words, *variables.values()])
    agent: dict[str, Any] = {
        "Label": LABEL,
        "ProgramArguments": [*wanted.words, "proxy"],
        "EnvironmentVariables": variables,
        "RunAtLoad": True,
        # Not plain true: what was stopped stays stopped, and so does what ended since its configuration is wrong.
        "KeepAlive": {"SuccessfulExit": False, "Crashed": True},
        "ThrottleInterval": 10,
        # Background would have it throttled, with all requests that go through it.
        "ProcessType": "Interactive",
        "StandardOutPath": str(wanted.log),
        "StandardErrorPath": str(wanted.log),
        "SoftResourceLimits": {"NumberOfFiles": _FILES, "Core": 0},
        "HardResourceLimits": {"NumberOfFiles": _MOST_FILES, "Core": 0},
        "ExitTimeOut": 15,
        "Umask": 0o077,
    }
    text = plistlib.dumps(agent, sort_keys=False).decode()
    lines = text.splitlines(keepends=True)
    lines.insert(_HEAD_LINES, f"<!-- {make_mark('launch agent', text)} -->\n")
    return "".join(lines)


class Entries(NamedTuple):
    """What is read of an agent; '' for what it lacks."""

    program: str = ""
    log: str = ""
    home: str = ""


def find_entries(text: str) -> Entries:
    """Of an agent's text; all empty where it cannot be read."""
    try:
        read: object = plistlib.loads(text.encode())
    except (plistlib.InvalidFileException, ValueError, RecursionError, OverflowError, ExpatError):
        return Entries()
    agent = _as_table(read)
    words = agent.get("ProgramArguments")
    program = cast("list[object]", words)[0] if isinstance(words, list) and words else ""
    home = _as_table(agent.get("EnvironmentVariables")).get("FAIRLEAD_HOME", "")
    return Entries(str(program), str(agent.get("StandardOutPath", "")), str(home))


def _as_table(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
