"""The text of an error as the history keeps it: what went wrong in at most 200 bytes, without secrets.

Only failed requests come here. Secrets are removed before the text is cut, so that none is left in part: those that
fairlead knows, what looks like a key, and the credentials that the caller itself sent.
"""

from router.backends.known import KNOWN
from router.errors import RouterError
from router.exchange.context import Arrival
from router.host.access import strip_scheme
from router.redaction import NO_SECRETS, Redactor
from router.settings.secret_headers import is_hidden_in_texts
from router.settings.secret_names import may_be_secret_name
from router.wire.errors.history_text import drop_advice, read_error_text, shorten

_ORGANISATIONS = frozenset(name for entry in KNOWN.values() for name in entry.own_headers)
# Of headers that belong to one cloud: some name a project, others are plain words.
_CLOUDS = tuple({text for entry in KNOWN.values() for text in entry.own_prefixes})


def describe_error(arrival: Arrival, error: RouterError, hidden: Redactor = NO_SECRETS) -> str:
    """The text for an error of fairlead's own. hidden: removes the secrets of the backend that was asked."""
    return _make_safe(arrival, drop_advice(error.message), hidden)


def describe_body(arrival: Arrival, body: bytes | bytearray, hidden: Redactor = NO_SECRETS) -> str:
    """The text for an upstream's error, from its body without content coding; '' when it has none. hidden: as above."""
    return _make_safe(arrival, read_error_text(body), hidden)


def _make_safe(arrival: Arrival, text: str, hidden: Redactor) -> str:
    if not text:
        return ""
    text = Redactor((*hidden.secrets, *_list_credentials(arrival))).redact_text(text)
    return shorten(arrival.runtime.log.remove_secrets(text.encode("utf-8", "replace")))


def _list_credentials(arrival: Arrival) -> list[str]:
    """What the caller sent in headers that hold credentials, or name its organisation."""
    return [
        strip_scheme(value).decode("latin-1")
        for _, name, value in arrival.request.lines
        if _tells_who(name.decode("latin-1"), value.decode("latin-1"))
    ]


def _tells_who(name: str, value: str) -> bool:
    if may_be_secret_name(name) or name in _ORGANISATIONS:
        return True
    return name.startswith(_CLOUDS) and is_hidden_in_texts(name, value)
