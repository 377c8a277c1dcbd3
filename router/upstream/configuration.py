"""The configuration as one reading of the home gives it: for the start of a proxy, and for a reload."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from router.backends import Backend
from router.errors import CommandError
from router.net.client.outbound import DIRECT, Outbound, read_outbound
from router.policy.routing.gaps import Gap
from router.policy.routing.table import DEMO
from router.settings import DECLARATIONS, Loaded, Secret, Settings
from router.store.captures.armed import Armed, read_armed
from router.store.config import backends as stored
from router.store.config.references import format_add_command
from router.store.home import client_key
from router.store.home.home import Home
from router.store.home.permissions import word
from router.store.keys import client_keys, shared_copy
from router.store.keys.own_keys import OwnKeys, read_own_keys
from router.store.keys.own_secrets import read_own_secret
from router.upstream.client_keys.table import NO_KEYS, KeyTable, build_table
from router.upstream.search import find_gap


class Configuration(NamedTuple):
    """Settings and backends that were read together."""

    settings: Settings
    #: Those that could be read, in the order added.
    backends: tuple[Backend, ...]
    #: The names of those that could not be read.
    broken: frozenset[str] = frozenset()
    #: Those that are disabled or could not be read.
    gaps: tuple[Gap, ...] = ()
    #: Problems to show to the user, each with its fix.
    problems: tuple[str, ...] = ()
    #: How upstreams are reached.
    outbound: Outbound = DIRECT
    #: fairlead's own secrets, which no upstream may get.
    own_keys: OwnKeys = OwnKeys()
    #: The client keys, with what they may use.
    client_keys: KeyTable = NO_KEYS
    #: The one request that is to be captured, None for none.
    armed: Armed | None = None
    #: What reads /metrics and nothing else, None for the operator token alone.
    metrics_token: Secret | None = None


class LiveSettings:
    """The settings in use, for parts of the proxy that stay the same over a reload."""

    def __init__(self, settings: Settings):
        self.current = settings

    def __call__(self) -> Settings:
        return self.current


def read(
    home: Home,
    settings: Settings,
    warnings: tuple[str, ...] = (),
    *,
    environ: Mapping[str, str] | None = None,
    before: KeyTable = NO_KEYS,
) -> Configuration:
    """Read the backends and client keys that go with these settings. warnings: about the settings. environ: where
    proxies are named, the process's own by default. before: the keys that were read last. Blocks on the disk.

    Raises CommandError when the folder is refused, for roots, a proxy or a token for /metrics that cannot be used, and
    for a default that is not a backend.
    """
    found, problems = stored.load(home)
    broken = frozenset(problem.name for problem in problems)
    _check_default(settings, [*(backend.name for backend in found), *broken])
    disabled = [backend.name for backend in found if not backend.enabled]
    gaps = [Gap(name, "is disabled", f"fairlead backend enable {name}") for name in disabled]
    gaps += [_make_broken_gap(problem) for problem in problems]
    texts = tuple(f"{problem.message} {problem.hint}".strip() for problem in problems)
    texts += tuple(filter(None, (find_gap(settings),)))
    variables = os.environ if environ is None else environ
    way = read_outbound(settings, variables)
    metrics = read_own_secret("metrics.token", settings.metrics_token, variables)
    elsewhere = shared_copy.read_team(home, settings).list_elsewhere()
    own, keys = read_own_keys(home, settings), build_table(client_keys.load(home, before.loaded), settings, elsewhere)
    if metrics is not None:
        own = own._replace(secrets=(*own.secrets, ("fairlead's token for /metrics", metrics)))
    problems_told, armed = (*warnings, *texts), read_armed(home)
    return Configuration(settings, found, broken, tuple(gaps), problems_told, way, own, keys, armed, metrics)


def _make_broken_gap(problem: stored.Problem) -> Gap:
    """A backend whose file cannot be read; the hint ends in the command that helps."""
    command = problem.hint.rpartition(":   ")[2] or "fairlead backend list"
    return Gap(problem.name, f"cannot be read: {problem.message.rstrip('.')}", command, unread=True)


# The sources of a setting that a user has to find; a flag was just typed, a default cannot be at fault.
_PLACES = ("file", "environment")


def list_faults(home: Home, loaded: Loaded, environ: Mapping[str, str]) -> list[CommandError]:
    """Everything that keeps a proxy from starting with these settings, and a running one from using them; where a
    source is known, each names it. environ: where proxies are named. Blocks on the disk."""
    found, problems = stored.load(home)
    names = [*(backend.name for backend in found), *(problem.name for problem in problems)]
    settings = loaded.settings
    checks: dict[str, Callable[[], object]] = {
        "host": lambda: client_key.check(settings, named=client_keys.are_there(home)),
        "default_backend": lambda: _check_default(settings, names),
        "tls.ca_file": lambda: read_outbound(settings, environ),
        "log_file": lambda: check_log_file(settings),
        "metrics.token": lambda: read_own_secret("metrics.token", settings.metrics_token, environ),
    }
    faults: list[CommandError] = []
    for key, check in checks.items():
        try:
            check()
        except CommandError as error:
            source = loaded.sources.get(key)
            place = f"{source.text}: " if source and source.kind in _PLACES and key in str(error) else ""
            faults.append(CommandError(f"{place}{error}", error.hint))
    return faults


def _check_default(settings: Settings, configured: Sequence[str]) -> None:
    """Refuse a default that is not a backend: it would turn every unknown model into a 404 that names no reason."""
    name = settings.default_backend
    if name == DEMO and not settings.demo:
        raise CommandError("default_backend is demo, and demo is off.", "Switch it on:   fairlead config set demo on")
    if name is None or name == DEMO or name in configured:
        return
    near = get_close_matches(name, configured, n=1, cutoff=0.6)
    raise CommandError(
        f"default_backend is {name}, but there is no backend of that name.",
        (f"Did you mean {near[0]}?   fairlead config set default_backend {near[0]}\n" if near else "")
        + f"Add it:   {format_add_command(name)}",
    )


def check_log_file(settings: Settings) -> None:
    """Raise CommandError when the folder of the log file does not exist, or the file is a folder. A relative path is
    not judged: it counts from where the proxy starts."""
    path = os.path.expanduser(settings.log_file or "")
    if not os.path.isabs(path):
        return
    folder = os.path.dirname(path)
    if os.path.isdir(path):
        raise CommandError(f"log_file is {settings.log_file}, which is a folder.", "Add a file name to it.")
    if not os.path.isdir(folder):
        raise CommandError(
            f"log_file is {settings.log_file}, but there is no folder {folder}.",
            f"Create it:   mkdir -p {word(Path(folder))}",
        )


def defer_restarts(running: Settings, wanted: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The wanted settings as far as a running proxy can apply them, and what has to wait for a restart, as texts."""
    waiting = [
        entry
        for entry in DECLARATIONS
        if entry.restart and getattr(running, entry.attribute) != getattr(wanted, entry.attribute)
    ]
    texts_of_waiting = tuple(
        f"{entry.key} is {getattr(wanted, entry.attribute)} now, and {getattr(running, entry.attribute)} until the "
        "proxy is restarted."
        for entry in waiting
    )
    running_values = {entry.attribute: getattr(running, entry.attribute) for entry in waiting}
    return replace(wanted, **running_values), texts_of_waiting
