"""Answers to clients: the reason phrases of their heads, and what an observer is told of them."""

import http
from collections.abc import Sequence
from typing import Protocol

from router.net.headers import Headers, RawHeaders
from router.net.stream import Bytes

#: Status -> reason phrase.
REASONS = {int(status): status.phrase.encode() for status in http.HTTPStatus}


class AnswerObserver(Protocol):
    """Is told of one answer to a client. None of the calls may wait, and what they get must be copied to be kept."""

    def note_head(self, status: int, headers: RawHeaders | Headers) -> None:
        """The head of the answer is about to be sent."""
        ...

    def note_body(self, pieces: Sequence[Bytes]) -> None:
        """So much of its body is about to be sent."""
        ...
