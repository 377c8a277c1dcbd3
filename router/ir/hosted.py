"""Tools that a provider runs itself, and what its answers tell of them."""

from typing import final

import msgspec


@final
class WebSearch(msgspec.Struct, frozen=True):
    """A web search that the provider runs."""

    #: The caller's path of it, for errors and losses.
    path: str
    #: How much of what is found the model reads: low, medium, high, '' when not given.
    context_size: str = ""
    #: Search only there, or not there; domain names.
    allowed: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    #: The user's place: city, region, country (two letters), timezone (IANA); {} when not given.
    location: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    #: The most searches, 0 when not given.
    max_uses: int = 0
    #: A search must be made.
    forced: bool = False


@final
class McpServer(msgspec.Struct, frozen=True):
    """An MCP server whose tools the provider calls by itself, without asking the caller."""

    #: The caller's path of it, for errors and losses.
    path: str
    name: str
    url: str
    #: The bearer token to send it, '' without one.
    token: str = ""
    #: The names of the tools to offer; None for all.
    allowed: tuple[str, ...] | None = None


HostedTool = WebSearch | McpServer


@final
class WebPage(msgspec.Struct, frozen=True):
    """A page that a web search found."""

    url: str
    title: str = ""
    #: How old it is, in words, '' when not known.
    age: str = ""


@final
class Searched(msgspec.Struct, frozen=True):
    """A web search that was made for an answer: a block of it, and an event of its stream."""

    #: What was searched for, as far as it is told.
    queries: tuple[str, ...] = ()
    #: What was found; None where the upstream does not tell.
    pages: tuple[WebPage, ...] | None = None
    #: Why the search failed, in the words of Messages (`unavailable`, `max_uses_exceeded`, ...), '' for one that did
    #: not.
    error: str = ""
