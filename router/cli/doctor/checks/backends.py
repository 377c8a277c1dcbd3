"""The backends: how far a connection comes, whether the key is accepted, and whether their protocols are served."""

import ipaddress
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from urllib.parse import urlsplit

import msgspec
import trio

from router.backends import Backend
from router.backends.advice import Advice, advise
from router.backends.endpoints import find_endpoint, find_key_header, find_root, list_set_headers
from router.backends.hosts import find_nearness
from router.backends.known import host_of
from router.cli.common.output import format_count
from router.cli.common.probe_backend import ProbeResult, build_outbound, fetch_key, probe_all, probe_backend
from router.cli.doctor.row import Row, Run
from router.cli.doctor.situation import Situation
from router.conform.age import compute_fingerprint, format_age, is_old
from router.conform.card_file import list_cards
from router.conform.record import format_counts
from router.errors import CommandError
from router.net.client.outbound import Outbound, is_loopback
from router.net.control import handshake
from router.net.control.calls import fetch_catalog, probe_stream
from router.net.control.request import ControlError, clean, send
from router.settings import Secret
from router.store.config.redacted import advise_key
from router.store.home.home import Home
from router.watch.amounts import format_seconds
from router.wire.paths.upstream import build_url
from router.wire.protocols import BY_NAME

#: Seconds of each step to a backend.
_STEP = 2.0
#: For the model list, of which some are long; and for the check of the key, which reads it twice.
LIST_SECONDS, KEY_SECONDS = 5.0, 12.0
#: A certificate that ends sooner is told of.
_EXPIRES_SOON = 14 * 86400.0
#: Addresses that no host on the internet has: of programs that answer for every name themselves.
_FAKE = ipaddress.ip_network("198.18.0.0/15")
#: Seconds for the stream of --probe.
_STREAM_SECONDS = 6.0
#: So many events of one stream within these seconds, and not before those, were collected on the way.
_EVENTS, _AT_ONCE, _LATE = 10, 0.05, 1.0
#: Accounts of a backend whose keys are tried.
_ACCOUNTS = 8


def make_run(name: str, check: Callable[[Situation, Home, Backend], Awaitable[list[Row]]]) -> Run:
    """A check of one backend, as `Check.run`."""

    async def run(situation: Situation) -> Sequence[Row]:
        backend = next(one for one in situation.backends if one.name == name)
        if situation.home is None or (situation.offline and not is_loopback(host_of(backend.root))):
            return []
        try:
            return await check(situation, situation.home, backend)
        except CommandError as error:
            return [Row(f"backend.{name}", "fail", str(error), error.hint)]

    return run


async def check_reach(situation: Situation, home: Home, backend: Backend) -> list[Row]:
    """How far a connection comes."""
    name, host, port = f"backend.{backend.name}", host_of(backend.root), _port(backend)
    way = build_outbound(home, backend, situation.settings)
    proxy = way.find_proxy_to(backend.root)
    if proxy is not None:
        return [Row(name, "info", f"reached through the proxy {proxy}, which looks its name up")]
    found = await handshake.resolve(host, _STEP)
    if isinstance(found, str):
        return [Row(name, "fail", f"{host}: {found}", _format_advice(advise("name", backend)))]
    connected = await _connect(found, port)
    good = {family: one for family, one in connected.items() if not one.problem}
    if not good:
        problem = next(iter(connected.values())).problem
        cause = "refused" if "refused" in problem else ""
        text = f"{host}:{port} cannot be reached: {problem}"
        return [Row(name, "fail", text, _format_advice(advise(cause, backend)) or f"Later: fairlead doctor {name}")]
    rows = _judge_addresses(name, host, found)
    for family, one in connected.items():
        if one.silent:
            text = f"{host} does not answer over {family}, and does over the other: each new connection waits for that"
            rows.append(
                Row(
                    name,
                    "warn",
                    text,
                    f"Is there a firewall or VPN on the way? See: curl -v {_curl(family)} {backend.root}",
                )
            )
    family, first = next(iter(good.items()))
    address = (found.v4 if family == "IPv4" else found.v6)[0]
    parts = [f"DNS {format_seconds(found.ms)}", f"connected in {format_seconds(first.ms)}"]
    if backend.root.startswith("https:"):
        seen = await handshake.read_certificate(host, address, port, way.roots, _STEP)
        if isinstance(seen, str):
            text, fix = _split(seen)
            return [*rows, Row(name, "fail", f"{host}: {text}", fix or f"See: fairlead backend test {backend.name}")]
        rows += judge_certificate(name, host, seen, time.time(), own_roots=bool(way.roots))
        parts.append(f"TLS {format_seconds(seen.ms)}")
    return rows if any(row.status == "warn" for row in rows) else [Row(name, "ok", ", ".join(parts)), *rows]


def _port(backend: Backend) -> int:
    place = urlsplit(backend.root)
    return place.port or (443 if place.scheme == "https" else 80)


def _curl(family: str) -> str:
    return "-4" if family == "IPv4" else "-6"


async def _connect(found: handshake.Resolved, port: int) -> dict[str, handshake.Connection]:
    """What came of connecting to the first address of each family, in the order in which they are preferred."""
    firsts = {family: all_[0] for family, all_ in (("IPv4", found.v4), ("IPv6", found.v6)) if all_}
    done: dict[str, handshake.Connection] = {}

    async def try_one(family: str, address: str) -> None:
        done[family] = await handshake.connect(address, port, _STEP)

    async with trio.open_nursery() as nursery:
        for family, address in firsts.items():
            nursery.start_soon(try_one, family, address)
    return {family: done[family] for family in firsts}


def _judge_addresses(name: str, host: str, found: handshake.Resolved) -> list[Row]:
    """A row for a public name that leads to an address of no public host."""
    if "." not in host or find_nearness(host) != "public":
        return []
    for text in (*found.v4, *found.v6):
        address = ipaddress.ip_address(text.partition("%")[0])
        if address in _FAKE:
            return [Row(name, "info", f"{host} resolves to {text}: a VPN or filter here answers for all names")]
        if address.is_private:
            return [Row(name, "info", f"{host} resolves to {text}, a private address: your network answers for it")]
    return []


def judge_certificate(name: str, host: str, seen: handshake.Certificate, now: float, *, own_roots: bool) -> list[Row]:
    """Rows for a certificate that was accepted. now: seconds since 1970. own_roots: tls.ca_file names further ones."""
    rows: list[Row] = []
    left = seen.expires - now
    if seen.expires and left < _EXPIRES_SOON:
        text = f"the certificate of {host} ends in {max(0, int(left // 86400))} days"
        rows.append(Row(name, "warn", text, "Only its operator can renew it; is this clock right? See: date"))
    if not seen.public and find_nearness(host) == "public":
        text = f"the certificate of {host} is signed by {seen.issuer or 'an authority without a name'}, which is none "
        text += "that browsers ship: a program on the way reads all that is sent there"
        if own_roots:
            rows.append(Row(name, "info", text))
        else:
            fix = f"Is that your company's? Then it is as it should be. If not, do not use {host} here"
            rows.append(Row(name, "warn", text, fix))
    return rows


async def check_key(situation: Situation, home: Home, backend: Backend) -> list[Row]:
    """Whether each account's key is accepted, and models are listed."""
    way = build_outbound(home, backend, situation.settings)
    if backend.auth != "key" or len(backend.accounts) < 2:
        return [await _try_key(situation, backend, backend, way)]
    found: dict[str, Row] = {}

    async def try_one(alias: str, alone: Backend) -> None:
        row = await _try_key(situation, backend, alone, way)
        found[alias] = row._replace(text=f"{alias}: {row.text}")

    async with trio.open_nursery() as nursery:
        for account in backend.accounts[:_ACCOUNTS]:
            nursery.start_soon(try_one, account.alias, msgspec.structs.replace(backend, accounts=(account,)))
    return [found[account.alias] for account in backend.accounts[:_ACCOUNTS]]


async def _try_key(situation: Situation, stored: Backend, backend: Backend, way: Outbound) -> Row:
    name = f"backend.{stored.name}.key"
    result = await probe_backend(backend, situation.credentials, way, timeout=LIST_SECONDS)
    first, _, rest = result.text.partition("\n")
    if result.ok:
        if not result.models and ", 0 models" in first:
            return Row(name, "warn", "its model list is empty", f"Name its models as {stored.name}:MODEL")
        return Row(name, "ok", first)
    if result.fix == "variable":
        # Which process lacks it is told by the check of the secrets.
        return Row(name, "info", first)
    return Row(name, "fail", first, _advise_key(stored, backend, result, rest))


def _advise_key(stored: Backend, backend: Backend, result: ProbeResult, rest: str) -> str:
    if result.fix in ("key", "own") and backend.accounts:
        return advise_key(stored, backend.accounts[0].alias)
    if result.fix == "key":
        return f"Give one: fairlead backend set {stored.name} --key-stdin"
    return rest or f"See: fairlead backend test {stored.name}"


async def check_protocols(situation: Situation, home: Home, backend: Backend) -> list[Row]:
    """Whether the paths of its protocols are served: an empty request costs nothing, and is refused by what serves
    one."""
    if backend.auth == "client":
        return []
    try:
        key = await fetch_key(backend, situation.credentials)
    except CommandError:
        return []
    way = build_outbound(home, backend, situation.settings)
    missing = [name for name in backend.protocols if await _is_missing(backend, key, name, way)]
    served = [name for name in backend.protocols if name not in missing]
    if not missing or not served:
        return []
    text = f"{', '.join(missing)} is not served there (404); its version may be too old for it"
    fix = f"Leave it out: fairlead backend set {backend.name} --protocols {','.join(served)}"
    return [Row(f"backend.{backend.name}.protocols", "warn", text, fix)]


async def _is_missing(backend: Backend, key: Secret | None, protocol: str, way: Outbound) -> bool:
    entry = BY_NAME[protocol]
    url = build_url(
        find_root(backend, protocol), find_endpoint(backend, protocol), entry, entry.path_for("x", stream=False), "x"
    )
    headers = {**dict(entry.api.headers), **list_set_headers(backend), **dict(way.headers)}
    headers["content-type"] = "application/json"
    if key is not None:
        name, prefix = find_key_header(backend, protocol)
        headers[name.lower()] = prefix + key.reveal()
    try:
        answer = await send("POST", url, headers, b"{}", _STEP, way)
    except ControlError:
        return False
    # A server may say with 404 that it knows no model of no name.
    return answer.status in (404, 405, 501) and b"model" not in answer.body.lower()


async def check_answer(situation: Situation, home: Home, backend: Backend) -> list[Row]:
    """With --probe: what a tiny request in each protocol comes to."""
    name = f"backend.{backend.name}.probe"
    way = build_outbound(home, backend, situation.settings)
    contact, model, trials = await probe_all(backend, None, situation.credentials, way)
    if not trials:
        reason = "only a tool has its login" if backend.auth == "client" else clean(contact.text.partition("\n")[0])
        return [Row(name, "info", f"nothing was sent: {reason}")]
    rows = [
        Row(name, "fail", f"{trial.protocol} of {model}: {trial.text}", f"See: fairlead backend test {backend.name}")
        for trial in trials
        if not trial.ok
    ]
    good = [trial for trial in trials if trial.ok]
    if good and model:
        told = [f"{trial.protocol} {format_seconds(trial.ms)}" for trial in good]
        stream = await _try_stream(situation, backend, model, good[0].protocol, way)
        if isinstance(stream, Row):
            rows.append(stream)
        else:
            told.append(f"as a stream {stream}")
        text = f"{model} answered: {', '.join(told)}; {format_count(len(good) + 1, 'tiny request')} at its price"
        rows.append(Row(name, "ok", text))
    return rows


async def _try_stream(situation: Situation, backend: Backend, model: str, protocol: str, way: Outbound) -> Row | str:
    """How a stream came, in words; a row where that is not as it should be."""
    name = f"backend.{backend.name}.probe"
    key = await fetch_key(backend, situation.credentials)
    try:
        times = await probe_stream(backend, key, model, protocol, outbound=way, timeout=_STREAM_SECONDS)
    except ControlError as error:
        verdict = "warn" if error.code == "no_stream" else "fail"
        return Row(name, verdict, f"stream of {protocol}: {error}", f"See: fairlead explain {backend.name}:{model}")
    if times.events >= _EVENTS and times.first > _LATE and times.spread < _AT_ONCE:
        text = f"the stream of {protocol} came all at once ({times.events} events within {times.spread * 1000:.0f} ms, "
        text += f"after {format_seconds(times.first * 1000)}): a proxy or filter on the way may hold streams back"
        return Row(name, "warn", text, "Which proxies are set here: fairlead doctor env.proxy config")
    return f"{format_seconds((times.first + times.spread) * 1000)} ({format_count(times.events, 'event')})"


async def check_cards(situation: Situation, name: str) -> list[Row]:
    """Whether what cards say of a backend may have changed since they were made."""
    backend = next(one for one in situation.backends if one.name == name)
    cards = list_cards(situation.home, name) if situation.home is not None else []
    if not cards:
        return []
    rows: list[Row] = []
    now = await _fetch_fingerprints(situation, backend, [card.model for card in cards])
    for card in cards:
        known, said = now.get(card.model, ""), f"its card of {clean(card.model)}"
        again = f"Make a new one: fairlead conform {name} --model {clean(card.model)}"
        if card.root != backend.root:
            rows.append(
                Row(f"backend.{name}.card", "info", f"{said} was made at another URL, {clean(card.root)}", again)
            )
        elif known and card.fingerprint and known != card.fingerprint:
            text = f"{said} was made with another build of the model, by what the model list says"
            rows.append(Row(f"backend.{name}.card", "warn", text, again))
        elif is_old(card):
            rows.append(Row(f"backend.{name}.card", "info", f"{said} is {format_age(card)}", again))
        else:
            rows.append(Row(f"backend.{name}.card", "ok", f"{said}: {format_counts(card.probes)}, {format_age(card)}"))
    return rows


async def _fetch_fingerprints(situation: Situation, backend: Backend, models: Collection[str]) -> Mapping[str, str]:
    """Model -> what the list of models says of its build now; {} where the list may not or cannot be read."""
    if situation.home is None or (situation.offline and not is_loopback(host_of(backend.root))):
        return {}
    try:
        key = await fetch_key(backend, situation.credentials)
        way = build_outbound(situation.home, backend, situation.settings)
        found = await fetch_catalog(backend, key, read_entry=compute_fingerprint, outbound=way, timeout=_STEP)
    except (CommandError, ControlError):
        return {}
    return {model: str(found.entries.get(model) or "") for model in models}


def _format_advice(advice: Advice | None) -> str:
    return advice.join() if advice is not None else ""


def _split(text: str) -> tuple[str, str]:
    """What is wrong, and what to do, from what is told of a failed handshake."""
    wrong, found, fix = text.partition("). ")
    return (f"{wrong})", fix.replace(":   ", ": ")) if found else (text, "")
