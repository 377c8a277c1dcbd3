"""What the demo answers, whatever the protocol: parts such as texts and calls of tools, and the events of a stream."""

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from router.demo.body import Object, tokens

_FRAGMENT = 8
_WORD = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that a request declares."""

    name: str
    #: JSON schema of its arguments.
    schema: Object
    #: It takes free text instead of JSON.
    custom: bool = False
    #: The group that it stands in, '' for none.
    namespace: str = ""
    #: The grammar of a custom tool's text, '' for none.
    grammar: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a reply."""

    kind: Literal["text", "thought", "call", "search", "compaction"]
    #: The text or thought, a call's arguments as JSON or its text, what was searched for, the sealed conversation.
    text: str
    #: The tool that is called.
    tool: Tool | None = None
    #: What shows that a thought or a call is the demo's own.
    proof: str = ""

    def pieces(self) -> list[str]:
        """The pieces it is streamed in: words, or fragments of a call's input; none is empty."""
        if self.kind == "call":
            return [self.text[at : at + _FRAGMENT] for at in range(0, len(self.text), _FRAGMENT)]
        return words(self.text)


class Page(NamedTuple):
    """A page of the web."""

    title: str
    url: str


#: What each search finds: the demo contacts nothing, and says so.
PAGE = Page("The demo backend does not search the web", "https://example.com/")


class Usage(NamedTuple):
    """The tokens of the input, and how many of them came from the cache or were put there."""

    read: int
    cached: int = 0
    stored: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply."""

    parts: tuple[Part, ...]
    finish: Literal["stop", "tool_calls", "length", "stop_sequence"] = "stop"
    #: The stop sequence that ended it.
    stop: str | None = None
    #: How often it is given, as separate choices.
    copies: int = 1
    #: Alternatives that are told for each word, None where no probabilities are.
    logprobs: int | None = None
    #: None where it is that of the request, without a cache.
    usage: Usage | None = None

    @property
    def text(self) -> str:
        """Its text, '' where it has none."""
        return "".join(part.text for part in self.parts if part.kind == "text")

    @property
    def calls(self) -> list[Part]:
        """Its calls of tools."""
        return [part for part in self.parts if part.kind == "call"]

    @property
    def thought(self) -> str:
        """Its reasoning, '' where it has none."""
        return "".join(part.text for part in self.parts if part.kind == "thought")

    def pieces(self) -> list[str]:
        """The pieces of all parts."""
        return [piece for part in self.parts for piece in part.pieces()]

    @property
    def tokens(self) -> int:
        """The estimated number of output tokens."""
        whole = "".join((part.tool.name if part.tool else "") + part.text for part in self.parts)
        return tokens(len(whole.encode())) * self.copies

    def count_input(self, size: int) -> Usage:
        """The usage of a prompt of `size` bytes."""
        return self.usage or Usage(tokens(size))


class Event(NamedTuple):
    """One event of a stream, as bytes."""

    data: bytes
    #: True when it carries a piece of the reply.
    piece: bool = False


def words(text: str) -> list[str]:
    """The words of a text, each with the space after it; joined, they are the text again."""
    return _WORD.findall(text)
