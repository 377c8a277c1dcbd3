"""The configuration as one reading of the home gives it: for the start of a proxy, and for a reload."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from router.backends import Backend
from router.net.client.outbound import DIRECT, Outbound, read_outbound
from router.policy.routing.gaps import Gap
from router.settings import DECLARATIONS, Settings
from router.store.config import backends as stored
from router.store.home.home import Home
from router.store.keys.own_keys import OwnKeys, read_own_keys


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


class LiveSettings:
    """The settings in use, for parts of the proxy that stay the same over a reload."""

    def __init__(self, settings: Settings):
        self.current = settings

    def __call__(self) -> Settings:
        return self.current


def read(
    home: Home, settings: Settings, warnings: tuple[str, ...] = (), *, environ: Mapping[str, str] | None = None
) -> Configuration:
    """Read the backends that go with these settings. warnings: about the settings. environ: where proxies are named,
    the process's own by default. Blocks on the disk.

    Raises CommandError when the folder is refused, and for roots or a proxy that cannot be used.
    """
    found, problems = stored.load(home)
    broken = frozenset(problem.name for problem in problems)
    disabled = [backend.name for backend in found if not backend.enabled]
    gaps = [Gap(name, "is disabled", f"fairlead backend enable {name}") for name in disabled]
    gaps += [_make_broken_gap(problem) for problem in problems]
    texts = tuple(f"{problem.message} {problem.hint}".strip() for problem in problems)
    way = read_outbound(settings, os.environ if environ is None else environ)
    return Configuration(settings, found, broken, tuple(gaps), (*warnings, *texts), way, read_own_keys(home, settings))


def _make_broken_gap(problem: stored.Problem) -> Gap:
    """A backend whose file cannot be read; the hint ends in the command that helps."""
    command = problem.hint.rpartition(":   ")[2] or "fairlead backend list"
    return Gap(problem.name, f"cannot be read: {problem.message.rstrip('.')}", command)


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
