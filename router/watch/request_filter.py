"""Which requests a person wants to see, as words such as `status:5xx model:opus cost>0.1 !demo`.

All words must fit. `FIELD:TEXT` fits where the field holds the text, in any case; `FIELD>NUMBER` and `FIELD<NUMBER`
compare; a word without a field is looked for in the fields of FREE; `!` before a word turns it round. What a request
lacks fits nothing, and so fits every word that is turned round.
"""

import difflib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from router.settings.kinds import clean, parse_duration
from router.store.history.read_requests import RecordedRequest

#: Characters of a filter; more is a mistake, or an attack on who reads it.
LIMIT = 1000


class UnknownFilter(ValueError):
    """A filter that cannot be read; the text says why, and what is expected."""


def _find_served_by(found: RecordedRequest) -> str:
    return f"{found.backend}/{found.account}" if found.backend else ""


def _find_models(found: RecordedRequest) -> str:
    return f"{found.model} {found.served_model}" if found.served_model != found.model else found.model


#: Field -> the text of it.
TEXTS: Mapping[str, Callable[[RecordedRequest], str | None]] = {
    "id": lambda found: found.id,
    "model": _find_models,
    "client": lambda found: found.client,
    "backend": lambda found: found.backend,
    "account": _find_served_by,
    "protocol": lambda found: found.protocol,
    "path": lambda found: found.path,
    "key": lambda found: found.key,
    "tag": lambda found: found.tag,
    "class": lambda found: found.request_class,
    "agent": lambda found: found.agent,
    "route": lambda found: found.route,
    "error": lambda found: f"{found.error} {found.error_text or ''}" if found.error else "",
    "cache": lambda found: found.cache_reason,
}
#: The fields that a word without one is looked for in.
FREE = ("id", "model", "client", "account", "path", "key", "tag", "agent", "error")


def _find_share(found: RecordedRequest) -> float | None:
    """The share of the prompt that a cache gave."""
    read = found.cache_read or 0
    whole = (found.tokens_in or 0) + read + (found.cache_write or 0)
    return read / whole if whole and found.tokens_in is not None else None


def _find_seconds(field: str) -> Callable[[RecordedRequest], float | None]:
    """Find the seconds of a field in milliseconds."""
    find_ms: Callable[[RecordedRequest], float | None] = operator.attrgetter(field)
    return lambda found: None if (ms := find_ms(found)) is None else ms / 1000


def _count_input(found: RecordedRequest) -> float | None:
    if found.tokens_in is None:
        return None
    return found.tokens_in + (found.cache_read or 0) + (found.cache_write or 0)


_COUNT = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([kKmM]?)")
_TIMES = {"": 1.0, "k": 1e3, "m": 1e6}


def _parse_count(text: str) -> float:
    match = _COUNT.fullmatch(text)
    if match is None:
        raise ValueError("a number such as 500, 10k or 1.5M")
    return float(match[1]) * _TIMES[match[2].lower()]


def _parse_money(text: str) -> float:
    try:
        return _parse_count(text.removeprefix("$"))
    except ValueError:
        raise ValueError("an amount of US dollars such as 0.10") from None


def _parse_share(text: str) -> float:
    try:
        return _parse_count(text.removesuffix("%")) / 100
    except ValueError:
        raise ValueError("a share such as 50%") from None


class _Number(NamedTuple):
    """A field that is compared."""

    find: Callable[[RecordedRequest], float | None]
    #: Reads what it is compared with. Raises ValueError, whose text says what is expected.
    parse: Callable[[str], float]


#: Field -> how it is compared.
NUMBERS: Mapping[str, _Number] = {
    "cost": _Number(operator.attrgetter("cost_usd"), _parse_money),
    "in": _Number(_count_input, _parse_count),
    "out": _Number(operator.attrgetter("tokens_out"), _parse_count),
    "cached": _Number(_find_share, _parse_share),
    "first": _Number(_find_seconds("first_byte_ms"), parse_duration),
    "total": _Number(_find_seconds("total_ms"), parse_duration),
    "queued": _Number(_find_seconds("queue_ms"), parse_duration),
    "attempts": _Number(operator.attrgetter("attempts"), _parse_count),
    "status": _Number(operator.attrgetter("status"), _parse_count),
}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_TERM = re.compile(r"(!?)(?:([A-Za-z]{1,20})(:|>=?|<=?))?(.*)", re.DOTALL)
_STATUS = re.compile(r"[1-5](?:\d\d|xx)", re.IGNORECASE)
#: What `status:` takes beside numbers.
_OUTCOMES: Mapping[str, Callable[[RecordedRequest], bool]] = {
    "ok": lambda found: not found.error and 200 <= found.status < 400,
    "error": lambda found: bool(found.error) or not 200 <= found.status < 400,
    "none": lambda found: not found.status,
}
FIELDS = (*TEXTS, *NUMBERS)

Test = Callable[[RecordedRequest], bool]


class RequestFilter(NamedTuple):
    """A filter that was read."""

    #: As it was written.
    text: str
    tests: Sequence[Test]

    def fits(self, found: RecordedRequest) -> bool:
        """True for a request that every word fits."""
        return all(test(found) for test in self.tests)


def parse_filter(text: str) -> RequestFilter:
    """Read a filter; an empty one fits all. Raises UnknownFilter."""
    if len(text) > LIMIT:
        raise UnknownFilter(f"it has more than {LIMIT:,} characters")
    return RequestFilter(text.strip(), [_parse_word(word) for word in _split_words(text)])


def _split_words(text: str) -> list[str]:
    """The words; those in quotes may hold spaces."""
    words: list[str] = []
    word, quote, begun = "", "", False
    for char in text:
        if quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in "\"'" and (not word or word[-1] in ":!"):
            quote, begun = char, True
        elif not char.isspace():
            word, begun = word + char, True
        elif begun:
            words.append(word)
            word, begun = "", False
    if quote:
        raise UnknownFilter(f"a {quote} is not closed")
    return [*words, *([word] if begun else [])]


def _parse_word(word: str) -> Test:
    match = _TERM.fullmatch(word)
    assert match is not None  # it takes any text
    turned, field, sign, value = match[1] == "!", (match[2] or "").lower(), match[3], match[4]
    if field and field not in FIELDS:
        near = difflib.get_close_matches(field, FIELDS, n=1, cutoff=0.6)
        hint = f"; the nearest is {near[0]}" if near else f"; the fields are {', '.join(FIELDS)}"
        raise UnknownFilter(f"{clean(field)} is not a field{hint}")
    if not value:
        raise UnknownFilter(f'"{clean(word)}" has no value' if word else "an empty word")
    test = _make_test(field, sign, value)
    return (lambda found: not test(found)) if turned else test


def _make_test(field: str, sign: str | None, value: str) -> Test:
    if not field:
        return _make_free_test(value)
    if sign == ":" and field == "status":
        return _make_status_test(value)
    if sign == ":" and field in TEXTS:
        return _make_text_test(TEXTS[field], value)
    if sign == ":":
        raise UnknownFilter(f"{field} is a number; compare it, as {field}>{_EXAMPLES.get(field, '10')}")
    if field not in NUMBERS:
        raise UnknownFilter(f"{field} is a text; look for a part of it, as {field}:{clean(value)}")
    find, parse = NUMBERS[field]
    try:
        least = parse(value)
    except ValueError as error:
        raise UnknownFilter(f'{field} is compared with "{clean(value)}"; expected {error}') from None
    compare = _COMPARE[sign or ">"]
    return lambda found: (there := find(found)) is not None and compare(there, least)


_EXAMPLES = {"cost": "0.10", "in": "10k", "cached": "50%", "first": "2s", "total": "10s", "queued": "1s", "out": "1k"}


def _make_free_test(value: str) -> Test:
    asked = value.casefold()
    return lambda found: any(asked in (TEXTS[field](found) or "").casefold() for field in FREE)


def _make_text_test(find: Callable[[RecordedRequest], str | None], value: str) -> Test:
    asked = value.casefold()
    return lambda found: asked in (find(found) or "").casefold()


def _make_status_test(value: str) -> Test:
    if value.lower() in _OUTCOMES:
        return _OUTCOMES[value.lower()]
    if not _STATUS.fullmatch(value):
        raise UnknownFilter(f'status is "{clean(value)}"; expected a number, 4xx, 5xx, {", ".join(_OUTCOMES)}')
    if value.isdecimal():
        return lambda found: found.status == int(value)
    return lambda found: found.status // 100 == int(value[0])
