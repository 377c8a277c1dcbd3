"""The edits of a request body that a user configured, in a rule or a backend's table: fields, effort, output cap.

The backend's edits are applied first and the rule's after them, so that the rule wins where both set the same field: a
rule is for one kind of request, a backend's table for all. Within one table, what is set wins over what is removed.
Effort and cap come last; the rule's effort wins, and the lower of two caps, since a cap only lowers.

Body fields change where the body names a model. The notes name each change, and each that could not be made.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import msgspec

from router.backends.known import refuses_max_tokens
from router.settings.tables import Edits
from router.wire import protocol
from router.wire.calls import Call
from router.wire.openai import find_nearest_effort
from router.wire.raw.json.json_values import MOST_TOKENS, Json
from router.wire.raw.json.splice import Splice
from router.wire.raw.whole_numbers import parse_whole

# Fields that routing and the relay decide.
_NOT_EDITED = ("model", "stream")

_encode = msgspec.json.encode
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


def change_body(
    splice: Splice,
    all_edits: Sequence[Edits],
    *,
    call: Call,
    vendor: str,
    notes: list[str],
    taken: tuple[str, ...] | None = None,
) -> None:
    """Apply fields, effort and cap; vendor: the backend's; taken: the efforts that the model takes, None where they are
    not known. Raises BadRequest for a body with doubled keys."""
    for edits in all_edits:
        for path in edits.remove_fields:
            _note(notes, f"field {path} removed", _remove(splice, path))
        for path, value in edits.set_fields.items():
            _note(notes, f"field {path} set", _put(splice, path, value))
    efforts = [edits.effort for edits in all_edits if edits.effort is not None]
    if efforts and call.writes and call.entry.effort is not None:
        model = str(call.model or splice.value("model"))
        effort = _fit_effort(model, call.entry.effort, efforts[-1], taken)
        if effort:
            text = (
                f"effort {effort}" if effort == efforts[-1] else f"effort {efforts[-1]} fitted to the model: {effort}"
            )
            _note(notes, text, _put_effort(splice, call.entry, effort, model))
        else:
            notes.append("effort left alone: the model does not take it")
    caps = [edits.max_tokens for edits in all_edits if edits.max_tokens is not None]
    if caps:
        notes.extend(_cap_output(splice, call, vendor, min(caps)))


def touches(all_edits: Sequence[Edits], name: str) -> bool:
    """True when a body field under this top-level name is set or removed."""
    paths = (path for edits in all_edits for path in (*edits.remove_fields, *edits.set_fields))
    return any(path.partition(".")[0] == name for path in paths)


def _note(notes: list[str], text: str, outcome: str | None) -> None:
    """Name a change. outcome: '' for one that was made, None when there was nothing to change, else the reason why it
    was not made."""
    if outcome is not None:
        notes.append(text if not outcome else f"{text.rpartition(' ')[0]} left alone: {outcome}")


def _put(splice: Splice, path: str, value: object) -> str | None:
    name, *below = path.split(".")
    if name in _NOT_EDITED:
        return "routing decides it"
    try:
        raw = _insert(splice.raw(name), below, _encode(value))
    except _NoObject as error:
        return str(error)
    splice.put(name, raw)
    return ""


def _remove(splice: Splice, path: str) -> str | None:
    name, *below = path.split(".")
    if name in _NOT_EDITED:
        return "routing decides it"
    raw = splice.raw(name)
    if raw is None:
        return None
    if not below:
        splice.drop(name)
        return ""
    try:
        new = _delete(raw, below)
    except _NoObject:
        return None
    if new is None:
        return None
    splice.put(name, new)
    return ""


class _NoObject(Exception):
    """A path leads through a value that is no object."""


def _decode_members(raw: bytes | msgspec.Raw | None, step: str) -> dict[str, msgspec.Raw]:
    """The members of an object, undecoded, so that those beside the path keep their bytes."""
    if raw is None or bytes(raw) == b"null":
        return {}
    try:
        return _object.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _NoObject(f"the parent of {step} is not an object") from None


def _insert(raw: bytes | msgspec.Raw | None, below: Sequence[str], value: bytes) -> bytes:
    if not below:
        return value
    members = _decode_members(raw, below[0])
    members[below[0]] = msgspec.Raw(_insert(members.get(below[0]), below[1:], value))
    return _encode(members)


def _delete(raw: bytes | msgspec.Raw, below: Sequence[str]) -> bytes | None:
    """The object without the field; None when it has no such field."""
    members = _decode_members(raw, below[0])
    inner = members.get(below[0])
    if inner is None:
        return None
    if len(below) == 1:
        del members[below[0]]
        return _encode(members)
    new = _delete(inner, below[1:])
    if new is None:
        return None
    members[below[0]] = msgspec.Raw(new)
    return _encode(members)


# Effort and output cap


def _fit_effort(model: str, form: protocol.Effort, effort: str, taken: tuple[str, ...] | None) -> str:
    """The effort itself where the model takes it, or turns its thinking off by other fields; else the nearest, '' for
    none."""
    if taken is None or effort in taken or (effort == "none" and form.off(model)):
        return effort
    return find_nearest_effort(effort, taken)


def _put_effort(splice: Splice, entry: protocol.WireProtocol, effort: str, model: str) -> str | None:
    """Put the effort where the protocol has it, as the body spells that, with the protocol's name for it."""
    form = entry.effort
    if form is None:
        return None
    field = entry.spell_field(splice, form.field)
    off: Mapping[str, object] = form.off(model) if effort == "none" else {}
    if not off:
        return _put(splice, field, form.words.get(effort, effort))
    _remove(splice, field)
    outcomes = [_put(splice, entry.spell_field(splice, path), value) for path, value in off.items()]
    return next((outcome for outcome in outcomes if outcome), outcomes[0])


def _cap_output(splice: Splice, call: Call, vendor: str, cap: int) -> Iterator[str]:
    """Lower the output limit to the cap, and name what was done.

    Where the limit is absent the cap is put in its place, since without a limit a protocol refuses the request or lets
    the model write without end. Where a protocol has several names for the limit, those present are lowered; if none
    is, the cap is put under the name that every provider knows, or under the newest for a provider that refuses others.
    On paths of no protocol a limit is only lowered: the default there is small.
    """
    names = call.entry.output_caps if call.generates else ()
    default = call.entry.cap_for(newest=refuses_max_tokens(vendor)) if names and call.writes else ""
    given = [name for name in names if _find_value(splice, name) is not None]
    for name in given:
        value = _find_value(splice, name)
        if isinstance(value, str) and "." in name:
            value = parse_whole(value, 0, MOST_TOKENS)
        # The upstream refuses a limit that is no number.
        if isinstance(value, int | float) and not isinstance(value, bool) and not value <= cap:
            _put(splice, name, cap)
            yield f"{name} lowered to {cap}"
    if not given and default:
        default = call.entry.spell_field(splice, default)
        problem = _put(splice, default, cap)
        yield f"{default} left alone: {problem}" if problem else f"{default} set to {cap}"


def _find_value(splice: Splice, path: str) -> object:
    """The value under a dotted path, None for none."""
    name, *below = path.split(".")
    value = splice.value(name)
    for step in below:
        value = cast("Json", value).get(step) if isinstance(value, dict) else None
    return value
