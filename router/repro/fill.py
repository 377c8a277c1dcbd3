"""Replaces texts by filler of the same length and form. The same text always becomes the same filler."""

import re
import string
import unicodedata
from collections import Counter

from router.repro.vocabulary import ERROR_WORDS

_LETTERS, _DIGITS = frozenset(string.ascii_letters), frozenset(string.digits)
# What is neither a letter nor a digit, and tells of form alone; no filler looks like an e-mail address.
_KEPT = frozenset(string.punctuation + string.whitespace) - {"@"}
_WIDE = "\N{WHITE CIRCLE}"
_FILLER = ("x", "0", _WIDE)
# How providers begin ids, which some programs look at.
_PREFIX = re.compile(r"(?:toolu|srvtoolu|call|msg|resp|fc|rs|ws|ctc|cmpl|chatcmpl|item|req|gen|run|file|batch|cmp)[_-]")
_IMAGE_BEGINS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "JVBERi0")
_DATA_URL = re.compile(r"data:[a-z]{1,20}/[a-z0-9.+-]{1,40};base64,")
_SCHEME = re.compile(r"https?://")
_TOKEN = re.compile(r"[^\W\d][\w]*|\d+")
# Longer numbers may be those of accounts.
_NUMBER_KEPT = 7
_USERS_NUMBER_KEPT = 4
_PLACE = re.compile(r"\S++")
_MARKS = frozenset("@/\\")
# Names of backends and accounts.
_CONFIGURED = re.compile(r"[\w-]++")


def fill_text(text: str) -> str:
    """Letters become x, digits 0, all others that mean something a circle; spaces and punctuation stay."""
    return "".join(map(_fill_character, text))


def _fill_character(char: str) -> str:
    if char in _LETTERS:
        return "x"
    if char in _DIGITS:
        return "0"
    if char in _KEPT:
        return char
    # Half a surrogate pair tells nothing, and has been the cause of errors.
    return char if unicodedata.category(char) in ("Cs", "Zs") else _WIDE


def fill_number(text: str) -> str:
    """A number of a user's: a long one may be that of an account, and becomes another one of the same length."""
    digits = sum(char in _DIGITS for char in text)
    return text if digits <= _USERS_NUMBER_KEPT else "".join("1" if char in _DIGITS else char for char in text)


def fill_binary(text: str) -> str:
    """Base64 of the same length: only how a known kind of file begins stays."""
    begin = next((one for one in _IMAGE_BEGINS if text.startswith(one)), "")
    end = len(text) - len(text.rstrip("="))
    return begin + "A" * (len(text) - len(begin) - end) + "=" * end


def fill_address(text: str) -> str:
    """A URL without its host and path, or a data URL without its data."""
    data = _DATA_URL.match(text)
    if data is not None:
        return data[0] + fill_binary(text[data.end() :])
    scheme = _SCHEME.match(text)
    return fill_text(text) if scheme is None else scheme[0] + fill_text(text[scheme.end() :])


def is_address(text: str) -> bool:
    """True for a URL."""
    return _SCHEME.match(text) is not None or _DATA_URL.match(text) is not None


class Names:
    """Replaces names and ids, so that two that differ stay different, and counts what was replaced."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._taken: set[str] = set()
        #: Unknown names of fields, which stay: they may be what a provider refused.
        self.kept: set[str] = set()
        #: Names of the user's configuration, which error messages repeat, and what stands for them.
        self.configured: dict[str, str] = {}
        #: What was replaced, by kind.
        self.counts: Counter[str] = Counter()

    def rename(self, name: str) -> str:
        """The filler of a name; as long as it, with what ids of its kind begin with."""
        if not name:
            return name
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._make(name)
            self._taken.add(found)
            self.counts["names and ids"] += 1
        return found

    def known(self, name: str) -> str | None:
        """The filler of a name that was replaced before, None for others."""
        return self._found.get(name)

    def _make(self, name: str) -> str:
        match = _PREFIX.match(name)
        prefix = "" if match is None else match[0]
        plain = fill_text(name[len(prefix) :])
        places = [at for at, char in enumerate(plain) if char in _FILLER][::-1] or [*range(len(plain))][::-1]
        candidate, number = plain, 0
        while prefix + candidate in self._taken and number < 26 ** min(len(places), 4) - 1:
            number += 1
            candidate = _write_number(plain, places, number)
        return prefix + candidate

    def fill_error(self, text: str) -> str:
        """The message of an error: the words that all errors have stay, with numbers and known names of fields."""
        self.counts["error texts"] += 1
        text = _CONFIGURED.sub(lambda match: self.configured.get(match[0], match[0]), text)
        plain = "".join(char if ord(char) < 128 else _fill_character(char) for char in text)
        return _PLACE.sub(self._fill_place, plain)

    def _fill_place(self, match: re.Match[str]) -> str:
        # What may be an address, a path or a person's is filled whole.
        text = match[0]
        return _TOKEN.sub(self._fill_word, text) if _MARKS.isdisjoint(text) else fill_text(text)

    def _fill_word(self, match: re.Match[str]) -> str:
        word = match[0]
        if word.isdecimal():
            return word if len(word) <= _NUMBER_KEPT else fill_text(word)
        if word.lower() in ERROR_WORDS or word in ERROR_WORDS or word in self.kept:
            return word
        return self._found.get(word) or fill_text(word)


def _write_number(plain: str, places: list[int], number: int) -> str:
    """The filler with a number in letters in its last places."""
    out = list(plain)
    for place in places:
        number, letter = divmod(number, 26)
        # From b on, since the filler without a number ends with another letter.
        out[place] = string.ascii_lowercase[letter]
        if not number:
            break
    return "".join(out)
