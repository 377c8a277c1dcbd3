"""Estimates how many tokens the input of a request has, by its size and by what earlier answers told.

A session grows: its last total is known, and what was added since is divided by the bytes that a token of it took. The
first request of a session is estimated by the ratio of its client and model, and that by a common one at first.
"""

from typing import NamedTuple

#: Bytes of text for each token, by client; measured over the requests of coding agents.
FIRST_RATIO = 4.5
_FIRST_RATIOS = {"codex": 5.0}
#: A ratio outside of these is of something else: pictures that were not measured, or a history that the backend keeps.
_LEAST_RATIO, _MOST_RATIO = 1.5, 8.0
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


class _Total(NamedTuple):
    size: int
    text: int | None
    tokens: int
    ratio: float


class TokenEstimates:
    """What answers told of the tokens of requests."""

    def __init__(self) -> None:
        self._ratios: dict[tuple[str, str], float] = {}
        self._sessions: dict[tuple[str, str], _Total] = {}

    def observe(self, request: SizedRequest, tokens: int) -> None:
        """Note how many tokens the input of a request had, by its answer."""
        text = request.size if request.text is None else request.text
        if tokens <= 0 or max(len(request.client), len(request.model), len(request.session)) > _KEY_LIMIT:
            return
        ratio = text / tokens
        plausible = _LEAST_RATIO <= ratio <= _MOST_RATIO
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
            self._sessions[held] = _Total(request.size, request.text, tokens, own)
            if len(self._sessions) > SESSIONS:
                del self._sessions[next(iter(self._sessions))]

    def estimate(self, request: SizedRequest) -> TokenRange:
        """Estimate the tokens of a request's input."""
        text = request.size if request.text is None else request.text
        last = self._sessions.get((request.session, request.model)) if request.session else None
        if last is not None and last.size * _SMALLER <= request.size <= last.size * _LARGER:
            both_measured = last.text is not None and request.text is not None
            added = text - (last.text or 0) if both_measured else min(request.size - last.size, text)
            edges = sorted((added / _DENSE, added / _SPARSE))
            tokens = last.tokens + added / last.ratio
            margin = last.tokens * _SHARE
            return _make_range(last.tokens + edges[0] - margin, tokens, last.tokens + edges[1] + margin)
        known = self._ratios.get((request.client, request.model))
        tokens = text / (known or self._find_ratio(request))
        margin = tokens * (_UNKNOWN if known is None else _LEARNED)
        return _make_range(tokens - margin, tokens, tokens + margin)

    def _find_ratio(self, request: SizedRequest) -> float:
        key = (request.client, request.model)
        return self._ratios.get(key) or _FIRST_RATIOS.get(request.client, FIRST_RATIO)


def _make_range(lower: float, tokens: float, upper: float) -> TokenRange:
    estimate = max(1, round(tokens))
    return TokenRange(min(estimate, max(0, round(lower))), estimate, max(estimate, round(upper)))
