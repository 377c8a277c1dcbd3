"""What a capture holds, in the form in which it is run again: a backend, its settings, its answers, and the request."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from router.backends import PROTOCOLS, Account, Backend
from router.backends.known import KNOWN
from router.backends.profile import Profile
from router.demo.recorded import RecordedAnswer, Recording
from router.errors import CommandError
from router.replay.edits import join_edits
from router.settings import Frozen, Settings
from router.settings.tables import BackendOptions
from router.store.captures.format import REDACTED, BackendExcerpt, Capture, Decision, ExchangeLine
from router.wire.neutral.provider_profiles import find_profile

if TYPE_CHECKING:
    from router.net.headers import RawHeaders

# Of an answer's head; the rest frames it or says where it came from.
_NOT_REPLAYED = (
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "connection",
    "keep-alive",
    "date",
    "server",
)
# Of a request's head: what the protocol needs. What names the client stays out, as this is another program.
_SENT = ("content-type", "accept", "anthropic-version", "anthropic-beta")
_TEXTS = {"loss": ("warn", "strict", "silent")}
_SWITCHES = ("auto_cache", "echo_model", "usage_probe", "ask_identity", "strip_attribution")


class Hop(NamedTuple):
    """A backend that was asked for a captured request."""

    #: Under which it is served.
    name: str
    #: Its name in the capture.
    captured: str
    described: BackendExcerpt | Decision
    #: Of its accounts, in the order in which they were asked.
    accounts: tuple[str, ...]
    #: The model that it was asked for, '' for none.
    model: str


def list_hops(capture: Capture, name: str) -> list[Hop]:
    """The backends that were asked, in their order: the last one under `name`, those before it under names of their
    own. The last alone where the capture, of an older version, does not tell of the others. Raises CommandError for a
    capture that tells of none."""
    decision = capture.meta.decision
    if decision is None:
        raise CommandError(
            f"the capture {capture.meta.id} does not say which backend it went to.",
            "It was refused before, or an older version wrote it:   fairlead why ID",
        )
    last = capture.exchanges[-1].backend if capture.exchanges else decision.backend
    known: dict[str, BackendExcerpt | Decision] = {one.backend: one for one in decision.earlier}
    known[last] = decision
    order = dict.fromkeys(one.backend for one in capture.exchanges)
    asked = [one for one in order if one != last] if order.keys() <= known.keys() else []
    hops: list[Hop] = []
    for number, backend in enumerate([*asked, last], 1):
        exchanges = [one for one in capture.exchanges if one.backend == backend]
        accounts = tuple(dict.fromkeys(one.account for one in exchanges))
        own = name if backend == last else f"{name}.{number}"
        hops.append(Hop(own, backend, known[backend], accounts, _find_model(capture, exchanges)))
    return hops


def _find_model(capture: Capture, exchanges: Sequence[ExchangeLine]) -> str:
    """The model that the first of these exchanges asked for."""
    body = exchanges[0].body if exchanges else None
    if body is not None:
        try:
            found: Any = json.loads(body.text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict) and isinstance(model := cast("dict[str, Any]", found).get("model"), str):
            return model
    return capture.meta.sent_model or capture.meta.model


def list_attempts(exchanges: Iterable[tuple[str, str, int]]) -> tuple[str, ...]:
    """The attempts of a request, with numbers in place of names, so that those of two runs can be compared: backend,
    account and status (0 for none) of each."""
    backends: dict[str, int] = {}
    accounts: dict[tuple[str, str], int] = {}
    found: list[str] = []
    for backend, account, status in exchanges:
        number = backends.setdefault(backend, len(backends) + 1)
        own = accounts.setdefault((backend, account), len([key for key in accounts if key[0] == backend]) + 1)
        found.append(f"backend {number} account {own}: {status or 'no answer'}")
    return tuple(found)


def record_answers(capture: Capture, name: str) -> Mapping[str, Recording]:
    """The answers of each backend that is served for a capture, by the name of its hop."""
    if capture.meta.decision is None:
        return {name: Recording([], [])}
    found: dict[str, Recording] = {}
    for hop in list_hops(capture, name):
        answers = [_record(one) for one in capture.exchanges if one.backend == hop.captured]
        models = [model for model in dict.fromkeys((hop.model, capture.meta.sent_model, capture.meta.model)) if model]
        found[hop.name] = Recording(models, answers)
    return found


def _record(exchange: ExchangeLine) -> RecordedAnswer:
    answer = exchange.answer
    hangs = exchange.end == "open"
    if answer is None:
        return RecordedAnswer(0, [], 0.0, (), cut=not hangs, hangs=hangs)
    pieces: list[tuple[float, bytes]] = []
    before = answer.at_ms
    for moment, data in answer.body.split():
        if data:
            pieces.append((max(0, moment - before) / 1000, data))
            before = max(before, moment)
    headers: RawHeaders = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in answer.headers
        if name not in _NOT_REPLAYED and value != REDACTED
    ]
    # What is not kept of it cannot be sent: the answer then ends like one that was cut.
    cut = exchange.end == "cut" or answer.body.cut
    return RecordedAnswer(
        answer.status, headers, max(0, answer.at_ms - exchange.at_ms) / 1000, pieces, cut=cut, hangs=hangs and not cut
    )


def make_backend(hop: Hop, root: str) -> Backend:
    """The backend that answers as one of a captured request did. Raises CommandError for one without a protocol."""
    spoken = tuple(protocol for protocol in hop.described.protocols if protocol in PROTOCOLS)
    if not spoken:
        raise CommandError("a backend in the capture speaks no protocol that this version has.")
    vendor = hop.described.vendor if hop.described.vendor in KNOWN else ""
    url = f"{root}/{hop.name}/v1"
    if len(hop.accounts) < 2:
        return Backend(name=hop.name, root=url, protocols=spoken, vendor=vendor, auth="none")
    # Keys that open nothing: the upstream is in this process.
    accounts = tuple(Account(f"account-{number}", f"replay-{number}") for number in range(1, len(hop.accounts) + 1))
    return Backend(name=hop.name, root=url, protocols=spoken, vendor=vendor, accounts=accounts)


def apply_decision(settings: Settings, capture: Capture, hops: Sequence[Hop], backends: Sequence[Backend]) -> Settings:
    """The settings under which the request is run again: it goes to the first of the backends, and after that to the
    others. Raises CommandError for values that were edited to what no setting takes."""
    decision, meta = capture.meta.decision, capture.meta
    if decision is None:
        return settings
    known = {name: decision.settings[name] for name in _SWITCHES if isinstance(decision.settings.get(name), bool)}
    for name, values in _TEXTS.items():
        if decision.settings.get(name) in values:
            known[name] = decision.settings[name]
    losses = decision.settings.get("losses")
    if isinstance(losses, dict):
        texts = cast("dict[object, object]", losses)
        known["losses"] = Frozen({str(path): str(policy) for path, policy in texts.items() if policy in _TEXTS["loss"]})
    options: dict[str, BackendOptions] = {}
    for hop, backend in zip(hops, backends, strict=True):
        # Of the others only the rule's edits are known.
        edits = [one for one in decision.edits if hop.described is decision or one.by == "rule"]
        flags = Frozen[Any](_find_flags(hop.described, backend))
        options[hop.name] = BackendOptions(profile=flags, edits=join_edits(edits))
    aliases, first = settings.aliases, hops[0]
    if meta.model and first.model and meta.model != first.model:
        # Whatever renamed it.
        aliases = Frozen({**aliases, meta.model: f"{first.name}:{first.model}"})
    chain = tuple(f"{hop.name}:{hop.model}" for hop in hops[1:])
    return replace(
        settings,
        **known,
        # A recorded request has none of the headers that calls are filled from.
        context_fill=False,
        aliases=aliases,
        fallback=Frozen({"*": chain} if chain else {}),
        backends=Frozen(options),
        default_backend=first.name,
    )


def _find_flags(decision: BackendExcerpt | Decision, backend: Backend) -> Mapping[str, Any]:
    """The habits in which the captured profile differs from what its vendor has today."""
    try:
        wanted = msgspec.convert(decision.profile, Profile)
    except msgspec.ValidationError as error:
        raise CommandError(f"the profile in the capture cannot be read: {error}.") from None
    base = find_profile(backend.vendor, "")
    if isinstance(decision, Decision) and decision.efforts is not None and "efforts" not in decision.profile:
        wanted = msgspec.structs.replace(wanted, efforts=tuple(decision.efforts) or wanted.efforts)
    return {
        name: getattr(wanted, name)
        for name in Profile.__struct_fields__
        if getattr(wanted, name) != getattr(base, name)
    }


def list_headers(capture: Capture) -> dict[str, str]:
    """The headers that the request is sent again with, by lower-case name."""
    request = capture.request
    found = {} if request is None else dict(reversed(request.headers))
    return {name: value for name, value in found.items() if name in _SENT and value != REDACTED}
