"""Estimates how many tokens the input of a request has, by its size and by what earlier answers told.

A session grows: its last total is known, and what was added since is divided by the bytes that a token of it took. The
first request of a session is estimated by the ratio of its client and model, and that by a common one at first.

What may have a request refused errs to the small side on purpose: a request that is refused for a wrong estimate cannot
be sent at all, and its client throws a part of the conversation away; one that is sent in vain costs a moment.
"""

from typing import NamedTuple

#: Bytes of text for each token, by client; measured over the requests of coding agents.
FIRST_RATIO = 4.5
_FIRST_RATIOS = {"codex": 5.0}
#: A ratio outside of these is of something else: pictures that were not measured, or a history that the backend keeps.
LEAST_BYTES_PER_TOKEN, _MOST_BYTES_PER_TOKEN = 1.5, 8.0
#: The most bytes that a token stands for, of texts and code in JSON without long runs: coding agents' requests have 4.8
#: to 5.1.
_CERTAIN_BYTES_PER_TOKEN = 6
#: Most pairs of client and model, and most sessions, that are held; those not used for longest go first.
RATIOS, SESSIONS = 500, 2000
#: A request that is this much smaller or larger than the one before is no continuation of it.
_SMALLER, _LARGER = 0.6, 4.0
#: The weight of the newest answer in a ratio.
_WEIGHT = 0.3
#: Characters of a key's parts.
_KEY_LIMIT = 256
# How far a first request may be from its estimate, as a share of that: where the ratio was learned, and where not.
_LEARNED, _UNKNOWN = 0.2, 0.35
# What is added to a session may be figures or code with much space: the bytes of a token there. The rest is as sure as
# the last answer, but for this share of it.
_DENSE, _SPARSE = 2.0, 8.0
_SHARE = 0.02


class TokenRange(NamedTuple):
    """An estimate of tokens, and the edges that the true number is between with great likelihood."""

    lower: int
    estimate: int
    upper: int


class SizedRequest(NamedTuple):
    """What of a request its tokens are estimated by."""

    client: str
    model: str
    #: Names the conversation; '' for none.
    session: str
    #: Bytes of its body.
    size: int
    #: Bytes of text in that; None where it was not measured.
    text: int | None

    def count_text(self) -> int:
        """The bytes of text; all where they were not measured."""
        return self.size if self.text is None else self.text


class _Total(NamedTuple):
    size: int
    text: int | None
    tokens: int
    ratio: float
    #: Its tokens are those of a text of its size.
    plausible: bool


class TokenEstimates:
    """What answers told of the tokens of requests."""

    def __init__(self) -> None:
        self._ratios: dict[tuple[str, str], float] = {}
        self._sessions: dict[tuple[str, str], _Total] = {}

    def observe(self, request: SizedRequest, tokens: int) -> None:
        """Note how many tokens the input of a request had, by its answer."""
        if tokens <= 0 or max(len(request.client), len(request.model), len(request.session)) > _KEY_LIMIT:
            return
        ratio = request.count_text() / tokens
        plausible = LEAST_BYTES_PER_TOKEN <= ratio <= _MOST_BYTES_PER_TOKEN
        if plausible:
            key = (request.client, request.model)
            before = self._ratios.pop(key, ratio)
            self._ratios[key] = before + (ratio - before) * _WEIGHT
            if len(self._ratios) > RATIOS:
                del self._ratios[next(iter(self._ratios))]
        if request.session:
            held = (request.session, request.model)
            self._sessions.pop(held, None)
            own = ratio if plausible else self._find_ratio(request)
            self._sessions[held] = _Total(request.size, request.text, tokens, own, plausible)
            if len(self._sessions) > SESSIONS:
                del self._sessions[next(iter(self._sessions))]

    def estimate(self, request: SizedRequest) -> TokenRange:
        """Estimate the tokens of a request's input."""
        last = self._find_last(request)
        if last is not None:
            if last.text is not None and request.text is not None:
                added = request.text - last.text
            else:
                added = min(request.size - last.size, request.count_text())
            edges = sorted((added / _DENSE, added / _SPARSE))
            tokens = last.tokens + added / last.ratio
            margin = last.tokens * _SHARE
            return _make_range(last.tokens + edges[0] - margin, tokens, last.tokens + edges[1] + margin)
        tokens = request.count_text() / self._find_ratio(request)
        margin = tokens * (_LEARNED if (request.client, request.model) in self._ratios else _UNKNOWN)
        return _make_range(tokens - margin, tokens, tokens + margin)

    def find_lower_edge(self, request: SizedRequest, least_text: int) -> int:
        """The tokens that the input of a request has at least, for which it may be refused. least_text: the bytes of
        text that its body has at least.

        In a session whose last total is known that is the lower edge of the estimate. Else it is what a text of that
        size cannot be below, or the lower edge by the ratio of its client and model if that is less still: such a
        ratio is that of other texts.
        """
        found = self.estimate(request)
        last = self._find_last(request)
        if last is not None and last.plausible:
            return found.lower
        certain = least_text // _CERTAIN_BYTES_PER_TOKEN
        learned = last is None and (request.client, request.model) in self._ratios
        return min(certain, found.lower) if learned else certain

    def _find_last(self, request: SizedRequest) -> _Total | None:
        """What the last request of the session had; None where this one does not continue it."""
        last = self._sessions.get((request.session, request.model)) if request.session else None
        continues = last is not None and last.size * _SMALLER <= request.size <= last.size * _LARGER
        return last if continues else None

    def _find_ratio(self, request: SizedRequest) -> float:
        key = (request.client, request.model)
        return self._ratios.get(key) or _FIRST_RATIOS.get(request.client, FIRST_RATIO)


def _make_range(lower: float, tokens: float, upper: float) -> TokenRange:
    estimate = max(1, round(tokens))
    return TokenRange(min(estimate, max(0, round(lower))), estimate, max(estimate, round(upper)))
