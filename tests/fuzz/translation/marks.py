"""What a random case puts in, and whether a translation kept it.

Each thing that is put in bears a mark, a short word that stands nowhere else. Afterwards the mark is looked for where
such a thing belongs; where it is not there, a loss must name it.
"""

import json
import random
import re
from types import MappingProxyType
from typing import NamedTuple

AROUND = ("", " ", "so ", "\u2028", "\n", "\t", "é ", "\U0001f600", '"', "\\", "</think>", "data: ", ": ", "\u0085")
_ITEM = re.compile(r"\w*(\[\d+\])?")
_INDEX = re.compile(r"\[\d+\]")


class Put(NamedTuple):
    """One thing that was put in."""

    kind: str
    mark: str
    #: The caller's path of the item that holds it, '' in an answer.
    path: str = ""
    #: An expression for the losses that name it; '' for those of its path only.
    names: str = ""
    #: More about it: the name and arguments of a call, the mark of the call that a result answers, or the mark of the
    #: opaque content that stands for a reasoning's text where it is sent back.
    about: object = None


class Book:
    """The puts of one case, and its random choices."""

    def __init__(self, seed, letter="Q"):
        self.seed = seed
        self._letter = letter
        self.chance = random.Random(seed)
        self.puts = []
        self._count = 0
        #: What a reader of the seed may want to know: the shapes that were drawn.
        self.shapes = []
        #: Ids of calls that the conversation has had.
        self.used = ()
        #: The caller may have tools that take free text.
        self.custom = True
        #: The property in which the upstream was told to wrap the arguments of the tool union.
        self.wrapper = None

    def likes(self, share, shape=""):
        """True for a share of the cases; then the shape is noted."""
        found = self.chance.random() < share
        if found and shape:
            self.shapes.append(shape)
        return found

    def pick(self, *things):
        """One of them."""
        return self.chance.choice(things)

    def mark(self):
        """A word that stands nowhere else, and is no part of another."""
        self._count += 1
        return f"{self._letter}{self._count}Z"

    def put(self, kind, path="", names="", about=None):
        """Note a new thing, and return its mark."""
        mark = self.mark()
        self.puts.append(Put(kind, mark, path, names, about))
        return mark

    def text(self, kind="text", path="", names=""):
        """A text with a mark in it."""
        return f"{self.pick(*AROUND)}{self.put(kind, path, names)}{self.pick(*AROUND)}"

    def pieces(self, text):
        """The text in one to four pieces."""
        cuts = sorted(self.chance.randrange(len(text) + 1) for _ in range(self.chance.choice((0, 0, 1, 3))))
        found = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        return [piece for piece in found if piece] or [""]


class View(NamedTuple):
    """What one side of a translation holds, whatever its protocol."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    #: Words of refusal are text here, and perhaps repeated as an explanation.
    refuses_in_text: bool = False
    #: (id, name, arguments as text)
    calls: tuple = ()
    #: (id, everything in it as text)
    results: tuple = ()
    citations: str = ""
    #: All of it as text.
    everything: str = ""
    stop: str = ""
    #: Tools whose arguments stand in a property -> that property.
    wrappers: MappingProxyType = MappingProxyType({})

    def unwrapped(self, call):
        """The arguments of a call of a tool whose schema was wrapped in one property."""
        given = json.loads(call[2]) if call[1] in self.wrappers else None
        found = given.get(self.wrappers[call[1]]) if isinstance(given, dict) and len(given) == 1 else None
        return None if found is None else json.dumps(found, sort_keys=True, ensure_ascii=False)


#: Kind of a put -> where it belongs: a field of View.
PLACES = {
    "text": "text",
    "reasoning": "reasoning",
    "citation": "citations",
}


def named(put, losses):
    """True when a loss names what was put in, or what holds it."""
    item = _ITEM.match(put.path)[0]
    for loss in losses:
        path = loss.partition("=")[0]
        if put.path and (path == put.path or path.startswith((f"{put.path}.", f"{put.path}["))):
            return True
        if put.path and put.path.startswith((f"{path}.", f"{path}[")):
            return True
        if put.kind == "reasoning" and path in (f"{item}.reasoning", f"{item}.thinking"):
            return True
        if put.names and re.search(put.names, _INDEX.sub("", path)):
            return True
    return False


def missing(puts, view, losses):
    """What was put in, is not there, and is named by no loss; as texts."""
    found = []
    for put in puts:
        problem = _problem(put, view)
        if problem and not named(put, losses):
            found.append(f"{put.kind} {put.mark} {put.path}: {problem}")
    return found


def _problem(put, view):
    if put.kind == "call":
        return _call_problem(put, view)
    if put.kind == "result":
        return _result_problem(put, view)
    if put.kind == "refusal":
        said, texts = view.refusal.count(put.mark), view.text.count(put.mark)
        good = max(said, texts) == 1 if view.refuses_in_text else (said, texts) == (1, 0)
        return "" if good else f"said {said} times, and {texts} times as text"
    place = PLACES.get(put.kind, "everything")
    if put.path and place == "text":
        # Where roles must alternate, a text may stand in another message, and a result's pictures in one of the user.
        place = "everything"
    held = getattr(view, place)
    if put.mark not in held:
        return f"not in {place}" + (", but elsewhere" if put.mark in view.everything else "")
    if place in ("text", "reasoning") and held.count(put.mark) > 1:
        return f"{held.count(put.mark)} times in {place}"
    return ""


def _call_problem(put, view):
    name, arguments = put.about
    with_mark = [call for call in view.calls if put.mark in call[2]]
    if len(with_mark) != 1:
        return f"in {len(with_mark)} calls of {len(view.calls)}"
    if with_mark[0][1] != name:
        return f"a call of {with_mark[0][1]}, not {name}"
    if arguments is not None and arguments not in (with_mark[0][2], view.unwrapped(with_mark[0])):
        return f"arguments {with_mark[0][2]!r}, not {arguments!r}"
    return ""


def _result_problem(put, view):
    holders = [one for one in view.results if put.mark in one[1]]
    if len(holders) != 1:
        return f"in {len(holders)} results" + (", but elsewhere" if put.mark in view.everything else "")
    calls = [call[0] for call in view.calls if put.about and put.about in call[2]]
    if put.about and holders[0][0] not in calls:
        return f"answers {holders[0][0]}, not the call {calls}"
    return ""


def unlike(view, used=()):
    """Ids that stand for two calls, as a text; '' when there are none. used: ids of earlier calls."""
    ids = [call[0] for call in view.calls]
    good = len({*ids, *used}) == len(ids) + len(used) and all(ids)
    return "" if good else f"ids of calls: {ids} after {[*used]}"
