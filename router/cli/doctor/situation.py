"""What the checks look at: the home, its settings and backends, and the running proxies, each read once.

Rules of this file: nothing is created or changed; what cannot be read is kept as the error that says why, and the rest
goes on with defaults.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import trio

from router.backends import Backend
from router.errors import CommandError
from router.net.control.request import ControlError
from router.net.loopback import list_literal_urls
from router.operator_api.accounts import AccountList
from router.operator_api.client import RunningProxy, ask_proof
from router.operator_api.status import Status
from router.settings import Loaded, Settings, resolve
from router.setup.tool import Place
from router.store.config import backends as stored
from router.store.config import toml
from router.store.config.backends import Problem
from router.store.home import run_files
from router.store.home.home import Home
from router.store.home.permissions import check_home
from router.store.home.place import find_home
from router.store.keys.own_keys import OwnKeys, read_own_keys
from router.upstream.credentials import Credentials

#: For all files that are read before the checks.
_HOME_SECONDS = 5.0
#: For all questions to one proxy.
_PROXY_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class FoundProxy:
    """A proxy that a run file of this home names."""

    run: run_files.Run
    #: `proven`; `older` gave the proof of an older version; `other` answers without it; `silent` does not answer.
    state: str
    #: What talks to it, None for one that is not proven.
    proxy: RunningProxy | None = None
    status: Status | None = None
    accounts: AccountList | None = None
    #: Why it could not be asked, "" when it could.
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the checks look at."""

    environ: Mapping[str, str]
    #: The working directory.
    folder: Path
    #: Where the home is, or would be; None where it cannot be named.
    home_path: Path | None
    #: None where there is none, or it is refused.
    home: Home | None
    home_problem: CommandError | None
    #: Defaults where they cannot be read.
    loaded: Loaded
    config_problem: CommandError | None
    backends: Sequence[Backend]
    unread: Sequence[Problem]
    #: Why the backends could not be listed.
    backends_problem: CommandError | None
    #: Newest first.
    proxies: Sequence[FoundProxy]
    credentials: Credentials
    own_keys: OwnKeys
    #: No network beyond loopback.
    offline: bool = False
    #: Tiny requests may be spent.
    probe: bool = False

    @property
    def settings(self) -> Settings:
        """The settings alone."""
        return self.loaded.settings

    @property
    def place(self) -> Place:
        """Where tools have their configuration."""
        return Place(self.environ, Path(os.path.expanduser("~")), sys.platform)

    @property
    def enabled(self) -> list[Backend]:
        """The backends that are in use."""
        return [backend for backend in self.backends if backend.enabled]

    @property
    def serving(self) -> FoundProxy | None:
        """The newest proxy that serves all tools and said how it is."""
        return next((one for one in self.proxies if one.status is not None and one.run.mode != "tied"), None)


class _Files(NamedTuple):
    """What the home holds."""

    home_path: Path | None
    home: Home | None
    home_problem: CommandError | None
    loaded: Loaded
    config_problem: CommandError | None = None
    backends: Sequence[Backend] = ()
    unread: Sequence[Problem] = ()
    backends_problem: CommandError | None = None
    own_keys: OwnKeys = OwnKeys()


async def look_around(environ: Mapping[str, str], folder: Path, *, offline: bool, probe: bool) -> Situation:
    """Read the home, and ask its proxies."""
    files = await _read_in_time(environ)
    return Situation(
        environ=environ,
        folder=folder,
        home_path=files.home_path,
        home=files.home,
        home_problem=files.home_problem,
        loaded=files.loaded,
        config_problem=files.config_problem,
        backends=files.backends,
        unread=files.unread,
        backends_problem=files.backends_problem,
        proxies=await _find_proxies(files.home) if files.home is not None else (),
        credentials=_make_credentials(files.home, files.loaded.settings, environ, files.own_keys),
        own_keys=files.own_keys,
        offline=offline,
        probe=probe,
    )


async def _read_in_time(environ: Mapping[str, str]) -> _Files:
    """The files; none of a home whose file system does not answer."""
    try:
        with trio.fail_after(_HOME_SECONDS):
            return await trio.to_thread.run_sync(_read_files, environ, abandon_on_cancel=True)
    except trio.TooSlowError:
        problem = CommandError(
            f"the home could not be read within {_HOME_SECONDS:g} s; does its file system answer?",
            "Use a local folder:   export FAIRLEAD_HOME=/absolute/path",
        )
        return _Files(None, None, problem, resolve({}, {}))


def _read_files(environ: Mapping[str, str]) -> _Files:
    home_path, home, home_problem = _find_home(environ)
    loaded, config_problem = _load(home, environ)
    found, unread, backends_problem = _load_backends(home)
    own_keys = read_own_keys(home, loaded.settings) if home is not None else OwnKeys()
    return _Files(home_path, home, home_problem, loaded, config_problem, found, unread, backends_problem, own_keys)


def _find_home(environ: Mapping[str, str]) -> tuple[Path | None, Home | None, CommandError | None]:
    try:
        path = Path(find_home(environ))
    except CommandError as error:
        return None, None, error
    if not os.path.lexists(path):
        return path, None, None
    try:
        check_home(path)
        if not path.is_dir():
            raise CommandError(f"{path} is not a folder.", f"Move it away:   mv {path} {path}.old")
    except CommandError as error:
        return path, None, error
    return path, Home(path), None


def _load(home: Home | None, environ: Mapping[str, str]) -> tuple[Loaded, CommandError | None]:
    """The settings; without the file, then without the environment, where these cannot be read."""
    problem: CommandError | None = None
    try:
        return (toml.load(home, environ) if home is not None else resolve(environ, {})), None
    except CommandError as error:
        problem = error
    try:
        return resolve(environ, {}), problem
    except CommandError:
        return resolve({}, {}), problem


def _load_backends(
    home: Home | None,
) -> tuple[Sequence[Backend], Sequence[Problem], CommandError | None]:
    if home is None:
        return (), (), None
    try:
        return *stored.load(home), None
    except CommandError as error:
        return (), (), error


def _make_credentials(home: Home | None, settings: Settings, environ: Mapping[str, str], own: OwnKeys) -> Credentials:
    """What fetches keys, once for all checks."""
    from router.login.tokens import Logins
    from router.net.client.outbound import read_outbound

    if home is None:
        return Credentials(environ, own)
    way = partial(read_outbound, settings, environ)
    return Credentials(environ, own, logins=Logins(home, way), outbound=way)


async def _find_proxies(home: Home) -> list[FoundProxy]:
    try:
        runs = await trio.to_thread.run_sync(run_files.live, home)
    except CommandError:
        return []
    found: dict[int, FoundProxy] = {}

    async def ask(place: int, run: run_files.Run) -> None:
        found[place] = FoundProxy(run, "silent")
        with trio.move_on_after(_PROXY_SECONDS):
            found[place] = await _ask_proxy(home, run)

    async with trio.open_nursery() as nursery:
        for place, run in enumerate(runs):
            nursery.start_soon(ask, place, run)
    return [found[place] for place in sorted(found)]


async def _ask_proxy(home: Home, run: run_files.Run) -> FoundProxy:
    try:
        token = home.token("operator.token")
    except CommandError as error:
        return FoundProxy(run, "other", problem=str(error))
    for url in list_literal_urls(run.literal_url or run.url):
        proof = await ask_proof(url, token)
        if proof.known:
            return await _ask_proven(run, RunningProxy(url, token, proof.process))
        if proof.known is not None:
            return FoundProxy(run, "older" if proof.older else "other")
    return FoundProxy(run, "silent")


async def _ask_proven(run: run_files.Run, proxy: RunningProxy) -> FoundProxy:
    try:
        status = await proxy.fetch_status()
        return FoundProxy(run, "proven", proxy, status, await proxy.fetch_accounts())
    except ControlError as error:
        return FoundProxy(run, "proven", proxy, problem=str(error))
