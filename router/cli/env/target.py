"""Find what tools are to be pointed at: the running proxy of this home, else where the settings would put one."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from router import __version__
from router.backends import Backend
from router.cli.common.layout import note
from router.cli.common.output import collect_login_protocols, format_problems, read_settings
from router.cli.common.port_owner import find_free_port_after, find_port_owner
from router.cli.env.listener import Listener, ask_listener
from router.errors import CommandError
from router.net.loopback import list_literal_urls, predict_url
from router.settings import Secret, Settings, load
from router.store.config import backends
from router.store.home import run_files
from router.store.home.client_key import client_key
from router.store.home.home import Home
from router.store.keys.references import parse

#: Takes a line for stderr.
Tell = Callable[[str], None]

_OPERATOR_TOKEN, _CLIENT_KEY = "operator.token", "client.key"


class Target(NamedTuple):
    """Where tools are pointed, and with what."""

    url: str
    #: fairlead's client key, None where clients need none.
    key: Secret | None
    #: The protocols for which a tool keeps its own login.
    own: frozenset[str] = frozenset()
    #: Variable -> the backend whose key is taken from it.
    sources: tuple[tuple[str, str], ...] = ()


def find_target(home: Home, tell: Tell = note) -> Target:
    """The target of this home's tools. tell: gets the lines on what keeps them from being served; by default they are
    printed on stderr. Raises CommandError."""
    found, problems = backends.load(home)
    for line in format_problems(problems):
        tell(line)
    own, sources = collect_login_protocols(found), _collect_sources(found)
    settings, wrong = _read_settings(home)
    for run in run_files.list_shared(home):
        listener = _ask_first(run.literal_url or run.url, home.token(_OPERATOR_TOKEN), _collect_keys(home, settings))
        if listener.who in ("fairlead", "other"):
            # The process of the run file has ended; its number and its port are another program's by now.
            continue
        if wrong is not None:
            tell(f"warning: {wrong}")
            for line in wrong.hint.splitlines():
                tell(f"         {line}")
            tell(f"         These lines are for the running proxy on :{run.port}.")
        return Target(run.url, _find_key(home, settings, run, listener, tell), own, sources)
    if wrong is not None:
        raise wrong
    target = Target(predict_url(settings.host, settings.port), client_key(settings, home), own, sources)
    _warn_not_served(_ask_first(target.url, None), settings.port, tell)
    return target


def _ask_first(url: str, token: Secret | None, keys: Sequence[Secret] = ()) -> Listener:
    """The first listener at the addresses that a URL means."""
    for literal in list_literal_urls(url):
        listener = ask_listener(literal, token, keys)
        if listener.who != "none":
            return listener
    return Listener("none")


def _read_settings(home: Home) -> tuple[Settings, CommandError | None]:
    """The settings, or those without config.toml and why it could not be read. Raises CommandError."""
    try:
        return read_settings(home), None
    except CommandError as error:
        return load(os.environ, {}), error


def _collect_sources(found: Iterable[Backend]) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for backend in found:
        for account in backend.accounts:
            try:
                reference = parse(account.key)
            except CommandError:
                continue
            if reference is not None and reference.kind == "env":
                pairs.append((reference.words[0], backend.name))
    return tuple(pairs)


def _collect_keys(home: Home, settings: Settings) -> list[Secret]:
    """The keys that a proxy of this home may ask for. A key that the home does not hold yet is not made."""
    stored = [home.token(_CLIENT_KEY)] if home.read(_CLIENT_KEY) is not None else []
    return [*([settings.api_key] if settings.api_key else []), *stored]


def _find_key(home: Home, settings: Settings, run: run_files.Run, listener: Listener, tell: Tell) -> Secret | None:
    """The key that a proxy of this home asks its clients for. Raises CommandError."""
    if listener.key_known:
        return listener.key
    if listener.who == "own" and run.version == __version__:
        tell(f"warning: the running proxy on :{run.port} asks for a client key that is not known here.")
        tell("         It was started with another $FAIRLEAD_API_KEY. Set the same one here.")
    elif listener.who != "own":
        what = "is of an older fairlead" if listener.who == "older" else "does not answer"
        tell(f"warning: the proxy on :{run.port} (pid {run.pid}) {what}.")
        tell("         Restart it:   fairlead stop, then fairlead proxy")
    return client_key(settings, home)


def _warn_not_served(listener: Listener, port: int, tell: Tell) -> None:
    """Say that no proxy of this home serves there, and what to do."""
    if listener.who == "none":
        tell("warning: no proxy is running. Start it:   fairlead proxy")
        return
    owner, free = find_port_owner(port), find_free_port_after(port)
    who = "a fairlead of another home or user" if listener.who == "fairlead" else "another program"
    tell(f"warning: port {port} is taken by {who}{f' ({owner})' if owner else ''}; these lines point there.")
    tell(f"         Use another port:   fairlead proxy --port {0 if free is None else free}")
    tell("         Then run this command again.")
