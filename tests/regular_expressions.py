"""Finds every regular expression of the code, and makes texts that a bad one would take too long for."""

import ast
import functools
import importlib
import re
import re._constants as codes
import re._parser as parser
import signal
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

ROUTER = Path(__file__).parents[1] / "router"
_CALLS = frozenset(("compile", "match", "search", "sub", "subn", "fullmatch", "split", "findall", "finditer"))
#: Methods that look for a pattern anywhere in a text.
_SCANNING = re.compile(r"\.(?:search|sub|subn|split|findall|finditer)\b")


class Use(NamedTuple):
    """One place in the code that gives a pattern to the module re."""

    #: Path below router/, and the name that the pattern gets, or its source where it gets none.
    file: str
    name: str
    #: The expression of the pattern and its flags.
    source: str
    flags: str
    #: Whether it is looked for anywhere in a text, and not only at its beginning.
    scans: bool


@functools.cache
def find_uses():
    """All of the code, in the order of files and lines."""
    found = []
    for path in sorted(ROUTER.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "re." not in text:
            continue
        tree = ast.parse(text)
        named = _name_calls(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.func.attr in _CALLS):
                continue
            source = ast.unparse(node.args[0])
            name = named.get(node, source)
            flags = [*node.args[1:2], *(one.value for one in node.keywords if one.arg == "flags")]
            scans = node.func.attr not in ("compile", "match", "fullmatch")
            if node.func.attr == "compile":
                uses = re.findall(rf"\b{re.escape(name)}(?:\.\w+)?", text)
                # A pattern that is handed on may be used in any way.
                scans = any(_SCANNING.search(one) for one in uses) or not any("." in one for one in uses)
            where = path.relative_to(ROUTER).as_posix()
            kind = ast.unparse(flags[0]) if flags and node.func.attr == "compile" else "0"
            found.append(Use(where, name, source, kind, scans))
    return found


def _name_calls(tree):
    """Call -> the name it is assigned to, for each assignment of one name or of as many names as values."""
    named = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            named[node.value] = node.targets[0].id
    return named


def pattern_of(use):
    """The compiled pattern; None where it is made of what is known only when the code runs."""
    module = importlib.import_module(
        "router." + use.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    )
    try:
        made = eval(use.source, dict(vars(module)))
        return re.compile(made, eval(use.flags, {"re": re}))
    except (NameError, TypeError, AttributeError):
        return None


# Texts. A witness is a short text that a part of a pattern matches.

_LIKELY = "a0 \"\\\n\t-_.:/,;=*'`[]{}()<>$@%+|&^~!?#AzZ9efx\r\x01é\u2028"
_MOST = 160


def attacks(pattern):
    """Pieces of texts (head, pumped, tail), of which the middle one is repeated."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = list(parser.parse(text, pattern.flags & re.VERBOSE))
    pumps = list(_pumps(tree, ""))
    found = dict.fromkeys(("", head, tail) for head, _ in pumps for tail in ("", "\x00") if head)
    rest = dict.fromkeys(
        one
        for head, body in pumps
        for middle in body
        for tail in ("", "\x00", "!", '"', "\n", "a")
        for one in ((head, middle, tail), ("", head + middle, tail))
        if middle
    )
    step = max(1, len(rest) // _MOST)
    return [*found, *list(rest)[::step]]


def _pumps(nodes, head):
    """For each part, also inside others: a text that leads to it, and texts to repeat there."""
    for at, (code, value) in enumerate(nodes):
        own = _witnesses((code, value))
        yield head, own
        for inner in _inside(code, value):
            yield from _pumps(inner, head)
        if at:
            yield head, [head[-1:] + one for one in own]
        head += own[0] if own else ""
    yield head, []


def _inside(code, value):
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        return [list(value[2])]
    if code is codes.SUBPATTERN:
        return [list(value[3])]
    if code is codes.ATOMIC_GROUP:
        return [list(value)]
    if code is codes.BRANCH:
        return [list(one) for one in value[1]]
    if code in (codes.ASSERT, codes.ASSERT_NOT):
        return [list(value[1])]
    return []


def _sequence(nodes):
    """A text for parts that follow each other."""
    return "".join((_witnesses(one) or [""])[0] for one in nodes)


def _witnesses(node):
    """A few texts for one part."""
    code, value = node
    if code is codes.LITERAL:
        return [chr(value)]
    if code is codes.NOT_LITERAL:
        return [one for one in _LIKELY if ord(one) != value][:2]
    if code is codes.ANY:
        return ["a", "."]
    if code is codes.IN:
        return [one for one in _LIKELY if _holds(value, one)][:3] or [
            chr(one) for one in range(0x3000) if _holds(value, chr(one))
        ][:1]
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, inner = value
        times = max(least, 1)
        parts = [*_sequence_variants(list(inner))]
        longest = [parts[0] * min(int(most), 64)] if parts and 1 < int(most) < 10_000 else []
        return [one * min(times, 256) for one in parts] + longest
    if code is codes.SUBPATTERN:
        return _sequence_variants(list(value[3]))
    if code is codes.ATOMIC_GROUP:
        return _sequence_variants(list(value))
    if code is codes.BRANCH:
        return [text for one in value[1] for text in _sequence_variants(list(one))[:2]][:8]
    return [""]


def _sequence_variants(nodes):
    """Texts for parts that follow each other, each of which differs in one part."""
    base = [(_witnesses(one) or [""]) for one in nodes]
    found = ["".join(one[0] for one in base)]
    for at, some in enumerate(base):
        for other in some[1:]:
            found.append("".join(other if at == index else one[0] for index, one in enumerate(base)))
    return found[:8]


def _holds(parts, char):
    """Whether a character is in a class."""
    wanted = True
    held = False
    for code, value in parts:
        if code is codes.NEGATE:
            wanted = False
        elif code is codes.LITERAL:
            held = held or ord(char) == value
        elif code is codes.RANGE:
            held = held or value[0] <= ord(char) <= value[1]
        elif code is codes.CATEGORY:
            held = held or _CATEGORIES[value](char)
    return held is wanted


_CATEGORIES = {
    codes.CATEGORY_DIGIT: lambda char: char in "0123456789",
    codes.CATEGORY_NOT_DIGIT: lambda char: char not in "0123456789",
    codes.CATEGORY_SPACE: str.isspace,
    codes.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    codes.CATEGORY_WORD: lambda char: char == "_" or (char.isascii() and char.isalnum()),
    codes.CATEGORY_NOT_WORD: lambda char: not (char == "_" or (char.isascii() and char.isalnum())),
}


# Time. That of the thread is measured, so that other programs do not count; what takes too long is cut off.

#: Characters of the longest text that is tried: some bounds are larger, and growth shows here already.
LONGEST = 32_768
#: Seconds for a text of that length that are little on any machine; more are compared with those of an expression that
#: looks at each character some forty times.
ENOUGH = 0.02
#: A text so many times shorter is tried first.
SHORTER = 4
_COMMON = re.compile(r"a\w{0,40}=")
_PATIENCE = 0.3


class TooSlow(Exception):
    """A pattern did not end."""


def _cut_off(*_):
    raise TooSlow


def seconds(pattern, text, *, scans):
    """The processor time that a pattern takes for a text; _PATIENCE for one that takes longer."""
    before = signal.signal(signal.SIGVTALRM, _cut_off)
    signal.setitimer(signal.ITIMER_VIRTUAL, _PATIENCE)
    began = time.thread_time()
    try:
        if scans:
            deque(pattern.finditer(text), maxlen=0)
        else:
            pattern.match(text)
            pattern.fullmatch(text)
        return time.thread_time() - began
    except TooSlow:
        return _PATIENCE
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def find_slow(pattern, bound, *, scans):
    """The first attack for which a pattern takes too long, with the seconds; None when there is none. bound: characters
    of the longest text it gets."""
    kind = type(pattern.pattern)
    for head, middle, tail in attacks(pattern):

        def take(size, head=head, middle=middle, tail=tail):
            text = head + middle * max(1, (size - len(head) - len(tail)) // len(middle)) + tail
            return seconds(pattern, text if kind is str else text.encode("latin-1", "replace"), scans=scans)

        size = min(bound, LONGEST)
        # Where the time grew with the square of the text, the longest would take this many times as long.
        if take(size // SHORTER) * SHORTER**2 < ENOUGH:
            continue
        took = take(size)
        if took > ENOUGH:
            # Again: a garbage collection may have come between.
            took = min(took, take(size))
        if took > ENOUGH and took > 5 * min(seconds(_COMMON, "a" * LONGEST, scans=True) for _ in range(3)):
            return (head, middle, tail), took
    return None
