"""The unit of systemd: systemd.unit(5), systemd.service(5), systemd.exec(5).

Rules of this file: a value means to systemd what it is here, whatever characters it has. Not in it: a dependency on the
network, which managers of users do not know and which the proxy does not need; ProtectHome, PrivateTmp and
MemoryDenyWriteExecute, which would hold for programs that print a key too; a port, which the configuration has.
"""

import re
from collections.abc import Iterator

from router.errors import CommandError
from router.host.service.managed import LOG_VARIABLE, NO_RESTART, VARIABLE
from router.service.definition import Wanted, check_text, make_mark

_PLAIN = re.compile(r"[\w/.,+:@=-]+", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"')
_ESCAPED = re.compile(r"\\(.)")
#: Of systemd's rules for paths of programs (string_is_safe).
_NOT_IN_PROGRAMS = set("\"'\\")
_GLOB = set("*?[]\\")
_BEGIN = """[Unit]
Description=fairlead, local LLM router
Documentation=@DOCUMENTATION@
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
"""
_END = f"""Restart=on-failure
RestartSec=2
# The command line or the configuration is wrong: starting again does not help.
RestartPreventExitStatus=2 {NO_RESTART}
WatchdogSec=60
# Open answers have 10 seconds to end.
TimeoutStopSec=15
KillMode=mixed
UMask=0077
LimitNOFILE=1024:65536
LimitCORE=0
"""
_HARDENING = """NoNewPrivileges=true
LockPersonality=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
"""
_INSTALL = """
[Install]
WantedBy=default.target
"""


def make_unit(wanted: Wanted, *, documentation: str) -> str:
    """The unit's text, with its mark. documentation: where to read more. Raises CommandError for a path that no unit
    can hold."""
    lines = "".join(f"{line}\n" for line in _list_lines(wanted))
    begin = _BEGIN.replace("@DOCUMENTATION@", documentation)
    text = begin + lines + _END + (_HARDENING if wanted.hardened else "") + _INSTALL
    return f"{text}# {make_mark('service unit', text)}\n"


def _list_lines(wanted: Wanted) -> Iterator[str]:
    """The lines that differ between two installations."""
    named = [*wanted.words, wanted.path, *(str(path) for path in (wanted.home, wanted.env_file, wanted.log) if path)]
    check_text(named)
    if wanted.loader:
        # What serves is a child of what systemd starts.
        yield "NotifyAccess=all"
    program, *rest = wanted.words
    if _NOT_IN_PROGRAMS & set(program):
        raise CommandError(f"systemd starts no program with such a path: {program}", "Call fairlead by another path.")
    # Variables stand in all words but the first.
    words = [_quote(program), *(_quote(word.replace("$", "$$")) for word in (*rest, "proxy"))]
    yield f"ExecStart={' '.join(words)}"
    yield "ExecReload=kill -HUP $MAINPID"
    yield f"Environment={VARIABLE}=systemd"
    if wanted.home is not None:
        yield f"Environment={_quote(f'FAIRLEAD_HOME={wanted.home}')}"
    if wanted.path:
        yield f"Environment={_quote(f'PATH={wanted.path}')}"
    if wanted.env_file is not None:
        yield f"EnvironmentFile={_escape_path(str(wanted.env_file))}"
    if wanted.log is not None:
        yield f"Environment={_quote(f'{LOG_VARIABLE}={wanted.log}')}"
        yield f"StandardOutput=append:{_escape_path(str(wanted.log))}"
        yield "StandardError=inherit"


def _quote(text: str) -> str:
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escape_path(path: str) -> str:
    """A path that stands alone and unquoted, and in which systemd would look for wildcards."""
    if _GLOB & set(path) or path != path.strip():
        raise CommandError(f"{path} has a character that the unit cannot hold in this place.", "Use another path.")
    return path.replace("%", "%%")


def find_program(text: str) -> str:
    """The program that a unit starts, '' where that cannot be read."""
    for line in text.splitlines():
        if line.startswith("ExecStart="):
            word = line.removeprefix("ExecStart=").lstrip("@-:+!")
            quoted = _QUOTED.match(word)
            return _unquote(quoted[0] if quoted else word.partition(" ")[0])
    return ""


def find_log(text: str) -> str:
    """The file to which a unit's output goes, '' for the journal."""
    for line in text.splitlines():
        if line.startswith("StandardOutput=append:"):
            return line.partition(":")[2].replace("%%", "%")
    return ""


def find_home(text: str) -> str:
    """The home that a unit names, '' for the usual one."""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name == "Environment":
            variable, _, named = _unquote(value).partition("=")
            if variable == "FAIRLEAD_HOME":
                return named
    return ""


def _unquote(text: str) -> str:
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = _ESCAPED.sub(r"\1", text[1:-1])
    return text.replace("%%", "%")
