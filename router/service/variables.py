"""What a service does not have of its user's shell: variables. Which of them the configuration needs."""

import os
import shutil
import stat
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from router.backends import Backend
from router.errors import CommandError
from router.settings import DECLARATIONS, Secret, Settings
from router.store.keys.references import find_variable, parse

#: Variables beside the settings that change how upstreams are reached.
_NETWORK = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_ENTRIES = 64


class Needed(NamedTuple):
    """A variable that holds a key."""

    variable: str
    #: What the key is for, as a user named it.
    owner: str
    #: The command that stores the key elsewhere.
    remedy: str


def list_needed(backends: Iterable[Backend], settings: Settings) -> list[Needed]:
    """The variables that keys are taken from."""
    found = [
        Needed(variable, f"account {backend.name}/{account.alias}", _find_remedy(backend, number))
        for backend in backends
        if backend.enabled
        for number, account in enumerate(backend.accounts)
        if (variable := find_variable(account.key))
    ]
    for name in ("search.key", "metrics.token", "shared.secret", "shared.password", "telemetry.headers"):
        secret: Secret | None = getattr(settings, name.replace(".", "_"))
        if secret is not None and (variable := find_variable(secret.reveal())):
            found.append(Needed(variable, name, f"fairlead config set {name} file:PATH"))
    return found


def _find_remedy(backend: Backend, number: int) -> str:
    if number == 0:
        return f"fairlead backend set {backend.name} --key-stdin"
    account = f"{backend.name} {backend.accounts[number].alias}"
    return f"fairlead accounts remove {account}, then fairlead accounts add {account} --key-stdin"


def list_lost(environ: Mapping[str, str], given: Collection[str]) -> list[str]:
    """Variables of this shell that change how a proxy behaves, and that the service will not have. given: those that
    it has."""
    names = [entry.env for entry in DECLARATIONS if entry.env] + [*_NETWORK, *(name.lower() for name in _NETWORK)]
    return sorted({name for name in names if environ.get(name) and name not in given})


def make_path(environ: Mapping[str, str]) -> str:
    """PATH for the service: the folders of this shell's that are there, absolute, and not writable by everyone."""
    found: list[str] = []
    for folder in environ.get("PATH", "").split(os.pathsep):
        if os.path.isabs(folder) and folder not in found and folder.isprintable() and _is_closed(folder):
            found.append(folder)
    return os.pathsep.join(found[:_ENTRIES])


def _is_closed(folder: str) -> bool:
    try:
        entry = os.stat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(entry.st_mode) and (sys.platform == "win32" or not entry.st_mode & stat.S_IWOTH)


def list_privileged(backends: Iterable[Backend], path: str) -> list[str]:
    """The commands that give keys and get the rights of another user or group, which a hardened service denies them."""
    return sorted({name for name in _list_commands(backends) if _is_privileged(name, path)})


def _list_commands(backends: Iterable[Backend]) -> Iterator[str]:
    for backend in backends:
        for account in backend.accounts:
            try:
                reference = parse(account.key)
            except CommandError:
                continue
            if reference is not None and reference.kind == "cmd":
                yield reference.words[0]


def _is_privileged(name: str, path: str) -> bool:
    found = shutil.which(os.path.expanduser(name), path=path)
    try:
        return found is not None and bool(os.stat(found).st_mode & (stat.S_ISUID | stat.S_ISGID))
    except OSError:
        return False
