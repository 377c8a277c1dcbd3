"""What a capture holds, in the form in which it is run again: a backend, its settings, its answers, and the request."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from router.backends import PROTOCOLS, Backend
from router.backends.known import KNOWN
from router.backends.profile import Profile
from router.demo.recorded import RecordedAnswer, Recording
from router.errors import CommandError
from router.replay.edits import join_edits
from router.settings import Frozen, Settings
from router.settings.tables import BackendOptions
from router.store.captures.format import REDACTED, Capture, Decision, ExchangeLine
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


def record_answers(capture: Capture) -> Recording:
    """The answers of the backend that gave the last one: those of others before it are not replayed."""
    last = capture.exchanges[-1].backend if capture.exchanges else ""
    answers = [_record(one) for one in capture.exchanges if one.backend == last]
    models = [name for name in dict.fromkeys((capture.meta.sent_model, capture.meta.model)) if name]
    return Recording(models, answers)


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


def make_backend(capture: Capture, name: str, root: str) -> Backend:
    """The backend that answers a captured request. Raises CommandError for a capture that does not tell its form."""
    decision = capture.meta.decision
    if decision is None:
        raise CommandError(
            f"the capture {capture.meta.id} does not say which backend it went to.",
            "It was refused before, or an older version wrote it:   fairlead why ID",
        )
    spoken = tuple(protocol for protocol in decision.protocols if protocol in PROTOCOLS)
    if not spoken:
        raise CommandError(f"the capture {capture.meta.id} names no protocol that this version has.")
    vendor = decision.vendor if decision.vendor in KNOWN else ""
    return Backend(name=name, root=f"{root}/{name}/v1", protocols=spoken, vendor=vendor, auth="none")


def apply_decision(settings: Settings, capture: Capture, backend: Backend) -> Settings:
    """The settings under which the request is run again; as they are for one that was refused before it was routed.
    Raises CommandError for values that were edited to what no setting takes."""
    decision, meta = capture.meta.decision, capture.meta
    if decision is None:
        return settings
    flags = _find_flags(decision, backend)
    known = {name: decision.settings[name] for name in _SWITCHES if isinstance(decision.settings.get(name), bool)}
    for name, values in _TEXTS.items():
        if decision.settings.get(name) in values:
            known[name] = decision.settings[name]
    losses = decision.settings.get("losses")
    if isinstance(losses, dict):
        texts = cast("dict[object, object]", losses)
        known["losses"] = Frozen({str(path): str(policy) for path, policy in texts.items() if policy in _TEXTS["loss"]})
    edits = join_edits(decision.edits)
    options = Frozen({backend.name: BackendOptions(profile=Frozen[Any](flags), edits=edits)})
    # A recorded request has none of the headers that calls are filled from.
    aliases = settings.aliases
    if meta.model and meta.sent_model and meta.model != meta.sent_model:
        # Whatever renamed it.
        aliases = Frozen({**aliases, meta.model: f"{backend.name}:{meta.sent_model}"})
    return replace(
        settings, **known, context_fill=False, aliases=aliases, backends=options, default_backend=backend.name
    )


def _find_flags(decision: Decision, backend: Backend) -> Mapping[str, Any]:
    """The habits in which the captured profile differs from what its vendor has today."""
    try:
        wanted = msgspec.convert(decision.profile, Profile)
    except msgspec.ValidationError as error:
        raise CommandError(f"the profile in the capture cannot be read: {error}.") from None
    base = find_profile(backend.vendor, "")
    if decision.efforts is not None and "efforts" not in decision.profile:
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
