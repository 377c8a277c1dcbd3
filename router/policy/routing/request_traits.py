"""What a rule may ask for of a request beyond its RoutingFacts; each is worked out when it is first asked for."""

from collections.abc import Callable, Mapping
from functools import cached_property

from router.policy.facts.token_estimates import FIRST_RATIO, TokenRange
from router.policy.routing.clients import identify_client
from router.wire import inspect, protocols
from router.wire.headers.agent_hints import hint_headers, read_hints
from router.wire.raw.json.top_level import Top


class RequestTraits:
    """The traits of one request."""

    def __init__(
        self,
        fields: Mapping[bytes, bytes],
        protocol: str | None,
        size: int,
        top: Top | None,
        estimate: Callable[[], TokenRange] | None = None,
    ):
        """fields: headers by lower-case name. size: bytes of the body. top: None when it is not JSON. estimate:
        estimates the tokens of the body; None where its size alone is known."""
        self._fields = fields
        self._entry = protocols.entry_of(protocol)
        self._top = top
        self._size = size
        self._estimate = estimate

    @cached_property
    def client(self) -> str:
        """The tool's name in the table of clients, '' when it is not there."""
        return identify_client(self._fields)

    @cached_property
    def request_class(self) -> str:
        """What kind of request the client says that it is, '' when it does not."""
        return read_hints(hint_headers(self._fields)).request_class

    @cached_property
    def tokens(self) -> int:
        """The tokens of the input, by an estimate."""
        return int(self._size / FIRST_RATIO) if self._estimate is None else self._estimate().estimate

    @cached_property
    def tools(self) -> bool:
        """Whether tools are declared."""
        return self._top is not None and inspect.has_tools(self._top)

    @cached_property
    def server_tool(self) -> str:
        """The tool of the provider that is the request's only one, '' for none."""
        return "web_search" if self._top is not None and inspect.find_web_search(self._top) == "only" else ""

    @cached_property
    def images(self) -> bool:
        """Whether the conversation holds an image."""
        return self._top is not None and inspect.has_images(self._top, self._entry)

    @cached_property
    def thinking(self) -> bool:
        """Whether the model is asked to reason."""
        return self._top is not None and self._entry.asks_thinking(self._top)

    def look_inside(self) -> None:
        """Work out what takes time on a large body."""
        _ = self.tools, self.server_tool, self.thinking, self.images, self.tokens


NO_TRAITS = RequestTraits({}, None, 0, None)
