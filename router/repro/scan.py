"""Looks through a repro for what must not be in it. It says of what kind a finding is, and never repeats it."""

import math
import re
from collections import Counter

from router.redaction import KEYS
from router.settings.secret_headers import is_secret_value

_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}\.[A-Za-z]{2,20}")
_HOME = re.compile(r"/(?:home|Users|root)/[^\s\"\\/]{1,64}|[A-Za-z]:\\\\{0,2}Users\\")
_WORD = re.compile(r"[A-Za-z0-9+_=-]{20,}")
# Bits for each character. Filler has about one, words three, random base64 from four on.
_ENTROPY = 3.7
# Filler, and ids that were renamed, begin or go on like this.
_FILLER = re.compile(r"x{3}|0{4}|A{8}")


def find_secrets(text: str) -> Counter[str]:
    """What looks like a key, by kind: how often."""
    found: Counter[str] = Counter()
    found["key"] = sum(1 for _ in KEYS.finditer(text))
    return +found


def find_private(text: str) -> Counter[str]:
    """What looks like a key, an e-mail address, a user's folder or a random value, by kind: how often."""
    found = find_secrets(text)
    found["e-mail address"] = sum(1 for _ in _MAIL.finditer(text))
    found["home folder"] = sum(1 for _ in _HOME.finditer(text))
    found["random value"] = sum(1 for match in _WORD.finditer(text) if _is_random(match[0]))
    return +found


def _is_random(word: str) -> bool:
    if _FILLER.search(word):
        return False
    counts = Counter(word)
    bits = -sum(count / len(word) * math.log2(count / len(word)) for count in counts.values())
    mixed = any(char.isdigit() for char in word) and any(char.isalpha() for char in word)
    return mixed and (bits > _ENTROPY or is_secret_value(word))
