"""The configured edits that a capture tells of, as one table of a backend."""

from collections.abc import Sequence
from typing import Any, cast, get_args

from router.errors import CommandError
from router.settings import Frozen
from router.settings.fields import check_field_path
from router.settings.kinds import InvalidValue
from router.settings.tables import Edits, Effort
from router.store.captures.format import ConfiguredEdits


def join_edits(edits: Sequence[ConfiguredEdits]) -> Edits:
    """What all of them do together, the later over the earlier; headers stay as they are, since a capture holds none of
    their values. Raises CommandError for what was edited to what no setting takes."""
    fields: dict[str, Any] = {}
    removed: dict[str, None] = {}
    effort, caps = "", list[int]()
    for one in edits:
        for path in one.remove_fields:
            fields.pop(path, None)
            removed[path] = None
        for path, value in one.set_fields.items():
            removed.pop(path, None)
            fields[path] = value
        effort = one.effort or effort
        caps += [one.max_tokens] if one.max_tokens is not None else []
    try:
        for path in (*fields, *removed):
            check_field_path(path)
    except InvalidValue as error:
        raise CommandError(f"an edit in the capture cannot be made: {error}.") from None
    if (effort and effort not in get_args(Effort)) or any(cap < 1 for cap in caps):
        raise CommandError("an edit in the capture cannot be made: no setting takes its effort or max_tokens.")
    return Edits(
        set_fields=Frozen[Any](fields),
        remove_fields=tuple(removed),
        effort=cast("Effort", effort) if effort else None,
        max_tokens=min(caps, default=None),
    )
