"""The environment of a started program."""

import sys
from collections.abc import Mapping

from router.backends import ANTHROPIC, speaks_api
from router.cli.env.target import Target
from router.cli.env.variables import Changes, build_changes, bypass_proxies
from router.cli.run.programs import BYPASSING, COMMON, Program
from router.host.child_process import make_environment
from router.settings import DECLARATIONS
from router.settings.kinds import NO_KEY
from router.settings.secret_names import may_be_secret_name

#: Says inside of a started program that it is one: the name of its key and the port of its proxy.
VARIABLE = "FAIRLEAD_RUN"
# Of the service manager that started this process, and of a starter of fairlead itself.
_NOT_PASSED = ("NOTIFY_SOCKET", "FAIRLEAD_STARTED_BY")
_MASKED = "set"


def find_changes(program: Program, target: Target, environ: Mapping[str, str], *, keep: bool) -> Changes:
    """The changes of the environment for a program; None: removed. keep: leave what the user has set of keys and of
    ways past the proxy."""
    windows = sys.platform == "win32"
    changes: Changes = {}
    removed = [name for name in BYPASSING if name in environ]
    if speaks_api(target.own, ANTHROPIC):
        # It may be the login that is passed on.
        removed = [name for name in removed if name != "ANTHROPIC_API_KEY"]
    changes.update(dict.fromkeys(removed))
    changes.update(build_changes(COMMON, target, environ, windows=windows))
    if program.tool is not COMMON:
        changes.update(build_changes(program.tool, target, environ, windows=windows))
    changes.update(program.variables)
    changes.update((name, value) for name, value in program.defaults if not environ.get(name))
    changes.update(bypass_proxies(target.url, environ, windows=windows))
    if keep:
        changes = {name: value for name, value in changes.items() if name not in BYPASSING or name not in environ}
    return {name: value for name, value in changes.items() if value is not None or name in environ}


def build_environment(environ: Mapping[str, str], changes: Changes) -> dict[str, str]:
    """The whole environment of a program. fairlead's own settings stay, its secrets go."""
    secret = {entry.env for entry in DECLARATIONS if entry.secret}
    found = {
        name: value
        for name, value in make_environment(environ, own=True).items()
        if name not in secret and name not in _NOT_PASSED
    }
    for name, value in changes.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


def mask(name: str, value: str, target: Target) -> str:
    """A value for display: keys as `set`."""
    key = target.key.reveal() if target.key is not None else None
    if key is not None and key in value:
        value = value.replace(key, _MASKED)
    return _MASKED if may_be_secret_name(name) and value != NO_KEY else value
