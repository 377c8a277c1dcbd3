"""The words as a shell gives them, and the candidates as it takes them.

bash inserts a candidate as it is, so that what it would read as its own signs is escaped here, as for PowerShell; zsh
and fish escape what they insert, and choose themselves what matches.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from router.cli.completions.rows import Candidate

#: The shells for which there is a script.
SHELLS = ("bash", "zsh", "fish", "powershell")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")


class Word:
    """The word at the cursor. text: without the shell's quotes. quote: the one that is open at its beginning. kept:
    characters of the text that the shell keeps, as it replaces only what follows."""

    __slots__ = ("kept", "quote", "text")

    def __init__(self, text: str, quote: str = "", kept: int = 0):
        self.text = text
        self.quote = quote
        self.kept = kept


def read_word(shell: str, raw: str, environ: Mapping[str, str]) -> Word:
    """A word as it was typed. environ: has FAIRLEAD_WORDBREAKS, the characters at which bash's line editor breaks
    words: it replaces only what follows the last of them."""
    if shell == "powershell":
        return Word(raw.strip("'\""))
    if shell != "bash":
        return Word(raw)
    text, quote = _unquote(raw)
    if quote or raw[:1] in "'\"":
        return Word(text, raw[:1])
    breaks = environ.get("FAIRLEAD_WORDBREAKS", "")
    cut = max((raw.rfind(sign) for sign in ":=" if sign in breaks), default=-1) + 1
    return Word(text, "", len(_unquote(raw[:cut])[0]))


def _unquote(raw: str) -> tuple[str, str]:
    """A word without its quotes, and the quote that is still open at its end."""
    text, quote, escaped = "", "", False
    for sign in raw:
        if escaped:
            # Between double quotes a backslash stands for itself before most characters.
            text += sign if not quote or sign in '"\\$`' else f"\\{sign}"
            escaped = False
        elif sign == "\\" and quote != "'":
            escaped = True
        elif sign == quote:
            quote = ""
        elif sign in "'\"" and not quote:
            quote = sign
        else:
            text += sign
    return text, quote


def format_candidates(shell: str, word: Word, candidates: Sequence[Candidate]) -> list[str]:
    """One line a candidate."""
    if shell == "fish":
        return [f"{one.value}\t{one.about}" if one.about else one.value for one in candidates]
    if shell == "zsh":
        return [_format_zsh(one.value, one.about) for one in candidates]
    begun = [one for one in candidates if one.value.lower().startswith(word.text.lower())]
    if shell == "powershell":
        return [f"{_quote_powershell(one.value)}\t{one.value}\t{one.about or one.value}" for one in begun]
    same = [one for one in begun if one.value.startswith(word.text)]
    return [_escape_bash(one.value[word.kept :], word.quote) for one in same]


def goes_on(value: str) -> bool:
    """True for a candidate that is the beginning of a word: no space follows."""
    return value.endswith((".", ":", "="))


def _format_zsh(value: str, about: str) -> str:
    """`0` for one that goes on, else `1`; then what `_describe` takes: a colon parts value and description."""
    escaped = value.replace("\\", "\\\\").replace(":", "\\:")
    return (
        f"{'0' if goes_on(value) else '1'}{escaped}:{about}" if about else f"{'0' if goes_on(value) else '1'}{escaped}"
    )


def _escape_bash(value: str, quote: str) -> str:
    if quote == "'":
        return value.replace("'", "'\\''")
    if quote == '"':
        return "".join(f"\\{sign}" if sign in '"\\$`' else sign for sign in value)
    return "".join(sign if sign in _PLAIN or sign.isalnum() else f"\\{sign}" for sign in value)


def _quote_powershell(value: str) -> str:
    bare = value and all(sign in _PLAIN - {"@", "%", ","} or sign.isalnum() for sign in value)
    return value if bare else "'" + value.replace("'", "''") + "'"
