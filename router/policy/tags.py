"""The tag that a caller gives its requests: they are summed up under it in the history, and may have a budget."""

from collections.abc import Mapping

from router.errors import BadRequest
from router.settings.fields import TAG
from router.settings.kinds import InvalidValue, clean

HEADER = b"x-fairlead-tag"


def read_tag(fields: Mapping[bytes, bytes]) -> str:
    """The tag in these headers (lower-case name -> first value); '' for none. Raises BadRequest."""
    value = fields.get(HEADER)
    if not value:
        return ""
    text = value.decode("latin-1")
    try:
        return TAG.parse_text(text)
    except InvalidValue as wrong:
        raise BadRequest(f'The header {HEADER.decode()} is "{clean(text, 80)}"; expected {wrong.text}.') from None
