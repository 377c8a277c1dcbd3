"""The changes of the environment that point a tool at the proxy. No I/O."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from router.backends import speaks_api
from router.cli.env.target import Target
from router.cli.env.tools import Part, Tool
from router.settings.kinds import NO_KEY

#: Variable -> its value, None for one that is removed.
Changes = dict[str, str | None]

_KEY_HEADER = "x-fairlead-key"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def build_changes(tool: Tool, target: Target, environ: Mapping[str, str], *, windows: bool = False) -> Changes:
    """What a tool's environment needs. environ: the shell's, which is completed where it has a list."""
    changes: Changes = {}
    for part in tool.parts:
        _add_part(changes, part, target, environ)
    if tool.key_variable and target.key is not None:
        changes[tool.key_variable] = target.key.reveal()
    if any(environ.get(name) or environ.get(name.lower()) for name in _PROXIES):
        changes.update(bypass_proxies(target.url, environ, windows=windows))
    return changes


def build_arguments(tool: Tool, target: Target) -> list[str]:
    """The arguments that point a tool at the proxy, for in front of the user's own."""
    login = any(speaks_api(target.own, part.api) for part in tool.parts)
    chosen = list(tool.arguments)
    if login:
        chosen += tool.login_arguments
    if target.key is not None:
        chosen += tool.login_key_arguments if login else tool.key_arguments
    return [fill(text, target) for text in chosen]


def list_overwritten_keys(changes: Changes, sources: Sequence[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """The variables among the changes that backends take their keys from, each with the names of these backends."""
    found: dict[str, list[str]] = {}
    for variable, backend in sources:
        if variable in changes and backend not in found.setdefault(variable, []):
            found[variable].append(backend)
    return [*found.items()]


def lacks_key(tool: Tool, target: Target) -> bool:
    """True where a tool's login is passed on, clients must send fairlead's key, and the lines have no place for it."""
    if target.key is None or tool.login_key_arguments:
        return False
    return any(speaks_api(target.own, part.api) and not part.headers for part in tool.parts)


def fill(text: str, target: Target) -> str:
    """A text of a tool with URL and key in it."""
    return text.replace("{url}", target.url).replace("{key}", _reveal(target))


def fill_remedy(lines: Sequence[str], target: Target) -> list[str]:
    """What to do for a tool that no variable leads here, with the URL; a key is not shown among it."""
    key = NO_KEY if target.key is None else "(fairlead env prints it)"
    return [line.replace("{url}", target.url).replace("{key}", key) for line in lines]


def _add_part(changes: Changes, part: Part, target: Target, environ: Mapping[str, str]) -> None:
    changes.update((name, fill(text, target)) for name, text in part.urls)
    if not speaks_api(target.own, part.api):
        changes.update((name, fill(text, target)) for name, text in part.keys)
        changes.update((name, None) for name in part.removed)
        return
    # A credential in these variables is the login that is passed on, unless an earlier run of this command set it.
    ours = {NO_KEY, _reveal(target)}
    changes.update((name, None) for name in (*dict(part.keys), *part.removed) if environ.get(name) in ours)
    if target.key is not None and part.headers:
        there = environ.get(part.headers, "")
        changes[part.headers] = _add_header(there, part.between, target.key.reveal())


def _add_header(text: str, between: str, key: str) -> str:
    """The text of a variable with headers, with fairlead's key as the last one. between: what parts two headers."""
    given = text.splitlines() if between == "\n" else text.split(between.strip())
    others = [one.strip() for one in given if one.partition(":")[0].strip().lower() != _KEY_HEADER]
    return between.join([*filter(None, others), f"{_KEY_HEADER}: {key}"])


def bypass_proxies(url: str, environ: Mapping[str, str], *, windows: bool) -> Changes:
    """NO_PROXY with this machine in it: where a proxy is set, tools would look for the proxy's localhost."""
    needed = dict.fromkeys((*_LOOPBACK, urlsplit(url).hostname or "localhost"))
    names = ("NO_PROXY",) if windows else ("NO_PROXY", "no_proxy")
    known = next((environ[name] for name in reversed(names) if environ.get(name)), "")
    changes: Changes = {}
    for name in names:
        hosts = [host.strip() for host in (environ.get(name) or known).split(",") if host.strip()]
        missing = [] if "*" in hosts else [host for host in needed if host not in hosts]
        if missing or not environ.get(name):
            changes[name] = ",".join([*hosts, *missing])
    return changes


def _reveal(target: Target) -> str:
    return target.key.reveal() if target.key is not None else NO_KEY
