"""What could be added: model servers that answer on this machine, and providers whose key is in a variable here.

Rules of this file: nothing is added, and no value of a variable is shown, kept or sent. What is configured is not
offered, nor is a variable whose value was meant for another place.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from router.backends import APIS, Backend, Known
from router.backends.known import KNOWN, find_foreign, host_of
from router.backends.variables import WrongVariable, read_variables
from router.cli.common.layout import find_width, format_table
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.client.outbound import is_loopback
from router.net.control import local_servers
from router.net.control.local_servers import LocalServer, find_local_servers
from router.settings import Secret, Settings
from router.store.config import backends
from router.store.home import run_files
from router.store.home.home import Home
from router.store.keys.own_keys import OwnKeys, read_own_keys
from router.store.keys.secrets import check_entered

NOTHING_FOUND = "No model server answers on this machine's usual ports, and no variable here has a provider's key."


class Offer(NamedTuple):
    """A provider that could be added."""

    name: str
    #: Why it is offered.
    about: str
    #: What follows `fairlead backend add`.
    arguments: tuple[str, ...]
    #: It wants a key, which nothing here holds.
    lacks_key: bool = False

    @property
    def command(self) -> str:
        """The command that adds it."""
        return " ".join(("fairlead backend add", *self.arguments, *(["--key-stdin"] if self.lacks_key else [])))


def find_offers(home: Home, settings: Settings | None, environ: Mapping[str, str]) -> list[Offer]:
    """The local servers, then the providers with a key. settings: None where they cannot be read. Raises
    CommandError."""
    servers = offer_servers(home, settings, local_servers.PATIENT_SECONDS)
    return [*servers, *offer_keys(home, settings, environ)]


def offer_servers(home: Home, settings: Settings | None, seconds: float) -> list[Offer]:
    """The model servers that answer where they usually do, and are not configured. seconds: of `find_local_servers`.
    Raises CommandError."""
    stored, names = _read_configured(home)
    taken = {urlsplit(backend.root).port for backend in stored if is_loopback(host_of(backend.root))}
    ports = {name: port for name, port in local_servers.PORTS.items() if name not in names and port not in taken}
    # fairlead's own.
    avoid = [run.port for run in run_files.live(home)] + ([] if settings is None else [settings.port])
    if not ports:
        return []
    return [_offer_server(one) for one in run_async(lambda: find_local_servers(ports, seconds, avoid=avoid))]


def _read_configured(home: Home) -> tuple[Sequence[Backend], Collection[str]]:
    """The backends that can be read, and the names of all."""
    return backends.load(home)[0], home.names(backends.FOLDER, ".json")


def _offer_server(server: LocalServer) -> Offer:
    title = KNOWN[server.name].title
    version = f" {server.version}" if server.version else ""
    wants = ", and wants a key" if server.wants_key else ""
    return Offer(server.name, f"{title}{version} answers at {server.url}{wants}", (server.name,), server.wants_key)


def offer_keys(home: Home, settings: Settings | None, environ: Mapping[str, str]) -> list[Offer]:
    """The providers whose key a variable holds, and which are not configured. Raises CommandError."""
    stored, names = _read_configured(home)
    own = read_own_keys(home, settings)
    found: list[Offer] = []
    for entry in KNOWN.values():
        if entry.name in names or _has_vendor(stored, entry.name) or not _has_variables(entry, environ):
            continue
        variable = find_key_variable(entry, environ, own)
        if variable:
            found.append(
                Offer(entry.name, f"{entry.title}: a key is in ${variable}", (entry.name, "--key-env", variable))
            )
    return found


def _has_variables(entry: Known, environ: Mapping[str, str]) -> bool:
    """True where nothing more has to be asked for the provider's URLs."""
    try:
        read_variables(entry, {}, environ)
    except WrongVariable:
        return False
    return True


def _has_vendor(stored: Iterable[Backend], name: str) -> bool:
    return any(backend.vendor == name for backend in stored)


def find_key_variable(entry: Known, environ: Mapping[str, str], own: OwnKeys) -> str:
    """The variable that holds a key for a provider, "" for none. A key of fairlead's own, one of another provider, and
    one that stands beside the base URL of another place do not count."""
    if _leads_elsewhere(entry, environ):
        return ""
    for name in entry.key_variables:
        try:
            key = check_entered(environ.get(name, ""), f"${name}")
            own.check(Secret(key), f"${name}")
        except CommandError:
            continue
        if find_foreign(entry.name, key) is None:
            return name
    return ""


def _leads_elsewhere(entry: Known, environ: Mapping[str, str]) -> bool:
    """True where a variable says that the provider's key is for another host than the provider's."""
    urls = [environ.get(api.url_variable, "").strip() for api in APIS if api.name == entry.name]
    return any(url and _read_host(url) != host_of(entry.root) for url in urls)


def _read_host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def format_offers(offers: Sequence[Offer]) -> list[str]:
    """A row for each, with the command that adds it."""
    return format_table([(one.about, one.command) for one in offers], "  ", width=find_width())
