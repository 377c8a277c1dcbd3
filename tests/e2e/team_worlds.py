"""Where the proxies of a team run: on this machine, or on simulated ones that a server's links join."""

import contextlib
from typing import NamedTuple

import trustme

from ..machines import HERE, Network
from ..store.team.servers import Server
from .budgets import BODY, PATH
from .processes import SOURCES, Proxy, backend
from .shared_budgets import Busy
from .upstream import Upstream
from .wire import ask

SECRET = "0123456789abcdef" * 4
PASSWORD = "the-password-of-the-server"
TLS_PORT = 6390
#: The user that packaging/reference/teams.md gives to the server.
USER = (
    *("--user", "fairlead", "on", f">{PASSWORD}", "~fl:*", "&fl:*"),
    *("-@all", "+@read", "+@write", "+@scripting", "+@pubsub", "+@connection", "+time", "-@dangerous"),
)


class Place(NamedTuple):
    """A machine with an upstream. settings: lines of a configuration with which a proxy finds the server."""

    machine: object
    up: Upstream
    settings: str


class World(NamedTuple):
    """A server, places for proxies, and what the upstreams do. network: of simulated machines."""

    server: Server
    places: list
    busy: Busy | None = None
    network: Network | None = None


class TeamProxy(Proxy):
    """A proxy in a place. entry: what its backend has besides the upstream of the place."""

    def __init__(self, folder, place, **entry):
        self.machine = place.machine
        command = (*place.machine.command, *SOURCES) if place.machine.command else SOURCES
        settings = {"FAIRLEAD_DEFAULT_BACKEND": "box"}
        super().__init__(folder, backends=[backend("box", place.up.root, **entry)], settings=settings, command=command)

    def status(self):
        """What GET /status says."""
        return self.machine.run(super().status)

    def ask(self, *arguments):
        """One request from its machine, and the answer."""
        return self.machine.run(ask, self.port, *arguments)

    def spend(self):
        """The answer to a request under the budget."""
        return self.ask(PATH, BODY)


def make_place(server, up):
    """This machine."""
    return Place(HERE, up, f'shared.url = "{server.url}"')


@contextlib.contextmanager
def make_loopback(folder):
    """All on this machine."""
    with Server(folder, persistent=True) as server, _listen(HERE, busy := Busy()) as up:
        yield World(server, [make_place(server, up)], busy)


@contextlib.contextmanager
def make_machines(folder, count=2):
    """So many simulated machines, and one of the server, which is asked over TLS by a user with the rights of the
    reference. Each machine has its upstream at its loopback, so that a link that is cut leaves that alone."""
    with contextlib.ExitStack() as opened:
        network = opened.enter_context(Network(count))
        chain, key, roots = _certify(folder, *network.addresses)
        options = ("--bind", "127.0.0.1", *network.addresses, "--protected-mode", "no", *USER)
        tls = ("--tls-port", str(TLS_PORT), "--tls-cert-file", chain, "--tls-key-file", key, "--tls-auth-clients", "no")
        server = Server(folder, *options, *tls, persistent=True, machine=network.server)
        opened.enter_context(server)
        busy, places = Busy(), []
        for machine, address in zip(network.machines, network.addresses, strict=True):
            up = opened.enter_context(_listen(machine, busy))
            url = f"rediss://fairlead@{address}:{TLS_PORT}"
            settings = f'shared.url = "{url}"\nshared.password = "{PASSWORD}"\ntls.ca_file = "{roots}"'
            places.append(Place(machine, up, settings))
        yield World(server, places, busy, network)


@contextlib.contextmanager
def _listen(machine, busy):
    up = machine.run(Upstream)
    up.default = [busy]
    try:
        yield up
    finally:
        machine.run(up.stop)


def _certify(folder, *addresses):
    """The files of a certificate of these addresses: it, its key, and the roots that vouch for it."""
    authority = trustme.CA()
    issued = authority.issue_cert(*addresses)
    chain, key, roots = (str(folder / name) for name in ("server.pem", "server.key", "roots.pem"))
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(roots)
    return chain, key, roots
