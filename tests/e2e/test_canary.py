"""No secret reaches anybody but its owner: each place that carries one, on each way that a request may take.

Every request here carries a secret in every place there is, so each of them checks all places at once. A cell is one
way of a request: what it asks in which form, from which kind of backend to which other, and what goes wrong there.
"""

import itertools
import json
import math
import random
from collections import Counter
from contextlib import asynccontextmanager
from typing import NamedTuple

import pytest
import trio

from router.wire import calls

from ..commands import run_in_home
from .canaries import CALLS, CARRIERS, KINDS, MODES, PLACES, QUERY_NAMES, Call, Kind, Vendor, found_in, label, secret
from .flock import Caller
from .processes import inside, make_home

OURS = secret("ours")
QUICK = 350
PATHS = ("/status", "/accounts", "/analytics", "/metrics", "/admin/history", "/admin/backends", "/health")
COMMANDS = (
    ["why", "-"],
    ["status"],
    ["usage"],
    ["history", "export"],
    ["config", "show"],
    ["backend", "list"],
    ["accounts", "list"],
)


#: Names of organisations and projects: meant for one vendor, and no secret in an answer of that one.
NAMES = {label(name) for name, vendor in CARRIERS.items() if vendor}
#: Google's name of an installation, for a caller's own login at Google alone.
INSTALLATION = label("x-gemini-api-privileged-user-id")
NAMES.add(INSTALLATION)


class Cell(NamedTuple):
    """One way of a request. mode: how the first backend answers; the second is good."""

    place: str
    call: Call
    first: Kind
    second: Kind
    mode: str


def cells(required):
    """All ways of requests to a proxy that asks for its key, or does not."""
    places = [name for name, (asked, _) in PLACES.items() if asked is required]
    pairs = itertools.permutations(KINDS, 2)
    return [Cell(place, call, *pair, mode) for pair in pairs for place in places for call in CALLS for mode in MODES]


def in_turn(place):
    """Each call on each way between two backends, with the modes in turn; those of the places differ, so that
    together they have all ways there are, which would be 80,000 for each."""
    required = PLACES[place][0]
    offset = list(PLACES).index(place)
    here = [cell for cell in cells(required) if cell.place == place]
    ways = [here[at : at + len(MODES)] for at in range(0, len(here), len(MODES))]
    turns = (pair + call for pair in range(len(ways)) for call in range(len(CALLS)))
    return [way[(offset + turn) % len(MODES)] for way, turn in zip(ways, turns, strict=False)]


def configuration():
    """A config.toml with a chain to each kind, and a secret header for each."""
    chains = "".join(f'"to-{kind.name}" = ["{kind.name}:m"]\n' for kind in KINDS)
    headers = "".join(
        f'[backends.{kind.name}]\nset_headers = {{"X-Gateway-Pass" = "{secret("header" + kind.name)}"}}\n'
        for kind in KINDS
    )
    return f"history.capture = true\n[fallback]\n{chains}{headers}"


def is_native(call, kind):
    """True for a call in a protocol of the backend, the only one that a caller's credential goes along with."""
    spoken = calls.call(call.path).protocol
    # A path of no protocol is in the API that the request's headers mark, and each has the one of Google's API.
    return spoken in kind.protocols if spoken else bool({"chat", "responses", "gemini"} & {*kind.protocols})


class Rig:
    """A proxy and its vendors. reached: how often the second backend was asked, by mode; leaks: what went astray."""

    def __init__(self, serving, vendors, token):
        self.serving = serving
        self.vendors = vendors
        self.token = token
        self.reached = Counter()
        self.statuses = Counter()
        self.leaks = []

    async def send(self, caller, cell):
        """Send the request of a cell and look at what everybody got."""
        self._settle()
        first = self.vendors[cell.first.name]
        first.mode = cell.mode
        first.elsewhere = f"http://127.0.0.1:{self.vendors[cell.second.name].port}/v1/followed"
        model = f"{cell.first.name}:to-{cell.second.name}"
        query = "&".join(f"{name}={secret('query')}" for name in QUERY_NAMES)
        path = f"{cell.call.path.replace('{model}', model)}?beta=true&{query}"
        body = cell.call.body(model)
        answer = await caller.ask(path, body, self._headers(cell), kind=cell.call.kind)
        first.mode = "good"
        assert answer.status, (cell, answer.error)
        self.statuses[answer.status] += 1
        told = answer.body + json.dumps(answer.fields).encode()
        self.note(cell, "the caller", {name for name in self.found(told) if name.startswith(("key", "header"))})
        for vendor in self.vendors.values():
            got = bytes(vendor.received)
            vendor.received.clear()
            if got:
                self._check(cell, vendor.kind, got)

    def _settle(self):
        """All accounts are ready again."""
        for service in self.serving.runtime.snapshot.services.values():
            for member in service.pool.members:
                service.pool.reopen(member, math.inf)

    def _headers(self, cell):
        _, places = PLACES[cell.place]
        found = [(name, secret(label(name))) for name in CARRIERS]
        for name, what in places.items():
            value = {"mine": secret(label(name)), "ours": OURS, "operator": self.token}[what]
            found.append((name, f"Bearer {value}" if name == "authorization" else value))
        return found

    def found(self, data):
        return found_in(data) | ({"operator"} if self.token.encode() in data else set())

    def _check(self, cell, kind, got):
        labels = self.found(got)
        mine = {name for name, what in PLACES[cell.place][1].items() if what == "mine"}
        owner = next(
            (one for one in (cell.first, cell.second) if one.auth == "client" and is_native(cell.call, one)), None
        )
        allowed = {"body", f"key{kind.name}", f"header{kind.name}"}
        allowed |= {label(name) for name, vendors in CARRIERS.items() if kind.vendor in vendors.split()}
        if kind == owner:
            allowed |= {label(name) for name in mine}
            # A caller of Google's API has its key in a header that callers of others do not use.
            google = cell.call.name.startswith(("gemini", "upload"))
            allowed |= {label("x-goog-api-key")} if google else set()
        if (kind.vendor, kind.auth) == ("gemini", "client"):
            allowed.add(INSTALLATION)
            if mine and not labels & {label(name) for name in mine}:
                self.leaks.append((cell, kind.name, "did not get the caller's credential"))
        if kind.auth == "key" and f"key{kind.name}" not in labels:
            self.leaks.append((cell, kind.name, "did not get its own key"))
        if f"header{kind.name}" not in labels:
            self.leaks.append((cell, kind.name, "did not get its own header"))
        if b"/followed" in got:
            self.leaks.append((cell, kind.name, "was asked by a redirect"))
        self.note(cell, kind.name, labels - allowed)
        self.reached[cell.mode] += kind == cell.second

    def note(self, cell, who, labels):
        self.leaks += [(cell, who, name) for name in sorted(labels)]


@asynccontextmanager
async def rigged(folder, *, required):
    """A running rig."""
    home = make_home(folder)
    path = home / "config.toml"
    path.touch(mode=0o600)
    path.write_text(configuration())
    vendors = {kind.name: Vendor(kind) for kind in KINDS}
    async with trio.open_nursery() as nursery:
        for vendor in vendors.values():
            await nursery.start(vendor.serve)
        settings = {"api_key": OURS, "require_key": "on" if required else "off", "verbose": "2"}
        settings["log_file"] = str(folder / "access.log")
        backends = [vendor.entry() for vendor in vendors.values()]
        async with inside(folder, backends=backends, **settings) as serving:
            await serving.runtime.catalogs.wait_complete()
            token = (home / "operator.token").read_text().strip()
            rig = Rig(serving, vendors, token)
            for vendor in vendors.values():
                # The list of models was asked for with the vendor's own key and header.
                assert found_in(bytes(vendor.received)) <= {f"key{vendor.kind.name}", f"header{vendor.kind.name}"}
                vendor.received.clear()
            yield rig
        nursery.cancel_scope.cancel()


async def sweep(rig, chosen):
    """Send the requests of these cells, and check that what is told of them tells nothing else."""
    async with Caller(rig.serving.port) as caller:
        for cell in chosen:
            await rig.send(caller, cell)
        operator = [("authorization", f"Bearer {rig.token}")]
        for path in PATHS:
            answer = await caller.ask(path, b"", operator, method="GET")
            assert answer.status == 200, path
            rig.note(path, "the operator", rig.found(answer.body))
        name = json.loads((await caller.ask("/admin/history", b"", operator, method="GET")).body)["requests"][0]["id"]
        answer = await caller.ask(f"/admin/history/{name}", b"", operator, method="GET")
        assert answer.status == 200
        rig.note("/admin/history/ID", "the operator", rig.found(answer.body))


async def told_by_commands(rig, folder):
    """What the commands print about it, each in a process of its own."""
    question = folder / "request.json"
    question.write_bytes(CALLS[0].body(f"{KINDS[0].name}:m"))
    for words in (*COMMANDS, ["explain", str(question)]):
        done = await trio.to_thread.run_sync(run_in_home, folder / "home", *words)
        assert done.code == 0, (words, done.err)
        assert done.out, words
        rig.note(words, "the terminal", rig.found(done.out + done.err))


def kept_in(folder, rig):
    """Each file with the labels of the secrets in it, where there are any."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {path.relative_to(folder): rig.found(path.read_bytes()) for path in files}
    return {str(path): labels for path, labels in found.items() if labels}


def check(folder, required, chosen, capfd, *, commands=False):
    """Send the requests of these cells; what everybody got, and what is left of it anywhere."""

    async def main():
        async with rigged(folder, required=required) as rig:
            await sweep(rig, chosen)
            if commands:
                await told_by_commands(rig, folder)
            return rig

    rig = trio.run(main)
    assert not rig.leaks, (len(rig.leaks), rig.leaks[:5])
    stored = {f"home/backends/{kind.name}.json": {f"key{kind.name}"} for kind in KINDS if kind.key}
    stored["home/config.toml"] = {f"header{kind.name}" for kind in KINDS}
    stored["home/operator.token"] = {"operator"}
    (folder / "request.json").unlink(missing_ok=True)
    assert {path: labels for path, labels in kept_in(folder, rig).items() if labels - NAMES} == stored
    said = capfd.readouterr()
    assert "← " in said.err
    assert not rig.found((said.out + said.err).encode()) - NAMES
    assert len(list((folder / "home" / "captures").iterdir())) > min(len(chosen) // 2, 500)
    assert all(rig.reached[mode] for mode in MODES[1:]), rig.reached
    return rig


@pytest.mark.parametrize("required", [False, True], ids=["open", "keyed"])
def test_secrets_stay_with_their_owners(tmp_path, required, capfd):
    """A selection of all ways: each secret is seen by its owner and by nobody else, and is written nowhere."""
    chosen = random.Random(9).sample(cells(required), QUICK)
    check(tmp_path, required, chosen, capfd, commands=required)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_secrets_stay_with_their_owners_on_all_ways(tmp_path, place, capfd):
    """Each call from each kind of backend to each other, which go wrong in all ways there are in turn."""
    chosen = in_turn(place)
    assert {cell.mode for cell in chosen} == set(MODES)
    rig = check(tmp_path, PLACES[place][0], chosen, capfd)
    with capfd.disabled():
        print(f"\n{place}: {len(chosen)} requests, {dict(rig.statuses)}, second backend asked: {dict(rig.reached)}")
