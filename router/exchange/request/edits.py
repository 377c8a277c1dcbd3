"""The edits of a passed-through body: the record names each, and all other bytes stay."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from router.exchange.request.configured_edits import change_body, touches
from router.net.stream import Bytes
from router.policy.routing.routes import Route
from router.settings import tables
from router.upstream.configured_headers import Changes, header_changes
from router.upstream.targets import Target
from router.wire.calls import Call
from router.wire.paths.upstream import fit_splice
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import Top

_encode = msgspec.json.encode


class Edited(msgspec.Struct):
    """A body to send."""

    parts: Sequence[Bytes]
    #: True when the client did not ask for the usage event that will come.
    hide_usage: bool = False
    #: True when the body asks for usage although the client's did not.
    probed: bool = False


def edit(
    body: bytes,
    top: Top | None,
    *,
    call: Call,
    route: Route,
    target: Target,
    probe: bool,
    notes: list[str],
    fields: Mapping[bytes, bytes] | None = None,
    taken: Callable[[], tuple[str, ...] | None] = lambda: None,
) -> Edited:
    """The body with the model's new name, the configured edits of rule and backend, the usage probe, a cache mark, what
    the provider needs, and without the billing line of another vendor. top: of the body, None where it is not known.
    fields: the caller's headers by lower-case name. taken: finds the efforts that the model takes; called only where
    one is set. Raises BadRequest when a doubled key leaves open what is to change."""
    splice = Splice(body, top)
    edited = Edited(())
    if route.renamed:
        if not call.template:
            splice.put("model", _encode(route.model))
        elif call.entry.rename_model is not None and route.model is not None:
            call.entry.rename_model(splice, route.model)
        notes.append(route.note_renaming())
    all_edits = edits_of(route, target)
    if all_edits and route.model is not None:
        found = taken() if any(edits.effort is not None for edits in all_edits) else None
        change_body(splice, all_edits, call=call, vendor=target.backend.vendor, notes=notes, taken=found)
        probe = probe and not touches(all_edits, call.entry.usage_field)
    entry = call.entry
    if probe and call.writes and entry.ask_usage is not None and entry.ask_usage(splice):
        edited.probed = True
        edited.hide_usage = True
        notes.append("usage asked for")
    if target.strip_attribution and entry.strip_attribution is not None and entry.strip_attribution(splice):
        notes.append("attribution stripped")
    if target.cache_marks and call.writes and entry.mark_cache is not None and entry.mark_cache(splice):
        notes.append("cache mark added")
    if target.endpoints:
        notes += fit_splice(splice, target.endpoint_for(call.protocol), entry, call.path, fields)
    edited.parts = splice.parts()
    return edited


def edit_head(route: Route, target: Target, present: Mapping[bytes, bytes], notes: list[str]) -> Changes | None:
    """The configured changes of the request's headers. present: its fields."""
    all_edits = edits_of(route, target)
    return header_changes(all_edits, present, notes) if all_edits else None


def edits_of(route: Route, target: Target) -> Sequence[tables.Edits]:
    """The configured edits in the order they are applied: the backend's, then the rule's."""
    if target.edits is None and route.edits is None:
        return ()
    return [edits for edits in (target.edits, route.edits) if edits is not None]
