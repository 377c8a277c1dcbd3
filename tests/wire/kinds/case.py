"""One answer of an upstream, and what every client must read in it, whichever protocol it is translated to.

Modules `answers_*` of this folder hold lists of cases; test_judges.py lets the official SDKs read each of them.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """One answer, named after the kind of trouble it stands for."""

    kind: str
    #: The protocol of the upstream: chat, messages, responses.
    source: str
    #: The body: a whole answer (JSON), or a stream of events.
    data: bytes
    text: str = ""
    reasoning: str = ""
    #: The name and the arguments (parsed) of each call, in order. Their ids must differ from each other and from those
    #: in `history`.
    calls: tuple[tuple[str, dict], ...] = ()
    #: Ids of calls that the request's history holds.
    history: tuple[str, ...] = ()
    #: As in router.ir.Stop.
    stop: str = "end"
    #: The words of refusal.
    refusal: str = ""
    #: URLs that the text cites, in order.
    citations: tuple[str, ...] = ()
    #: Paths that the note of losses must name, by target protocol; "*" for all targets.
    losses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Protocols it is not to be translated to.
    without: tuple[str, ...] = ()

    @property
    def streamed(self) -> bool:
        """True for a stream of events."""
        return self.data.lstrip()[:1] != b"{"

    def __str__(self) -> str:
        return f"{self.kind}-{self.source}-{'stream' if self.streamed else 'whole'}"
