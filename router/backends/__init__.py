"""Known providers as data, and the form in which a configured backend is held. No I/O."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from router.backends.profile import Profile


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """What the HTTP API of one vendor has in common, whichever of its protocols is spoken."""

    #: As its vendor is called, in lower case.
    name: str
    #: Name of the header that carries a key, spelled, and what stands before the key in it.
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    #: Headers that every request needs, by lower-case name. The first also marks a caller's request for a path that
    #: several vendors have (models, files).
    headers: tuple[tuple[str, str], ...] = ()
    #: The header in which callers look for the id of a request that was refused.
    request_id_header: str = "x-request-id"
    #: Its list of models comes in pages, and knows `limit`.
    paged: bool = False
    #: Variables that point its tools at a base URL, with what is to stand behind the root, and give them a key.
    url_variable: str = ""
    url_suffix: str = ""
    key_variable: str = ""


ANTHROPIC = Api(
    name="anthropic",
    key_header="X-Api-Key",
    key_prefix="",
    headers=(("anthropic-version", "2023-06-01"),),
    request_id_header="request-id",
    paged=True,
    url_variable="ANTHROPIC_BASE_URL",
    key_variable="ANTHROPIC_API_KEY",
)
OPENAI = Api(
    name="openai",
    url_variable="OPENAI_BASE_URL",
    url_suffix="/v1",
    key_variable="OPENAI_API_KEY",
)
#: The API of paths and backends that say nothing else: most servers follow it.
COMMON = OPENAI
#: Those with variables that point tools at them.
APIS = (ANTHROPIC, OPENAI)

#: Names of the protocols, in the order they are listed and preferred, each with the API it belongs to. What else there
#: is to know of them stands in `wire.protocols`, which adds the name of a protocol that is registered there.
PROTOCOLS: dict[str, Api] = {"messages": ANTHROPIC, "chat": OPENAI, "responses": OPENAI}


def speaks_api(protocols: Iterable[str], api: Api) -> bool:
    """True when one of these protocols belongs to an API."""
    return any(PROTOCOLS.get(name) is api for name in protocols)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A provider fairlead knows by name."""

    name: str
    title: str
    #: URL that `/chat/completions` or `/messages` is appended to; it includes `/v1` where the provider has it.
    root: str
    protocols: tuple[str, ...]
    #: Its roots in other regions, and former ones.
    other_roots: tuple[str, ...] = ()
    #: The API whose form its keys and its list of models have.
    api: Api = COMMON
    needs_key: bool = True
    #: Regular expressions (whole match) of the model names that are this provider's.
    families: tuple[str, ...] = ()
    #: Lower-case names of request headers that are meant for this provider and go to no other.
    own_headers: tuple[str, ...] = ()
    #: Dated list for backends whose catalog cannot be read without a key of ours (auth=client).
    models: tuple[str, ...] = ()
    #: What stands before the names in its list of models, and is left out in requests.
    model_prefix: str = ""
    #: Its newer models refuse Chat's `max_tokens`, which is all that other providers are sure to know.
    refuses_max_tokens: bool = False
    #: It reads the billing line of Claude Code's system prompt.
    reads_attribution: bool = False
    #: Its habits in Chat; None where it does not speak it.
    profile: Profile | None = None

    @property
    def stream_usage(self) -> bool:
        """True when a Chat stream reports usage only if asked by `stream_options`."""
        return self.profile is not None and self.profile.stream_usage


class Account(msgspec.Struct, frozen=True):
    """One key of a backend. key: a literal, or a reference such as `env:GROQ_API_KEY`."""

    alias: str
    key: str

    def __repr__(self) -> str:
        return f"Account(alias={self.alias!r}, key=set)"


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """A configured backend, as `backends/NAME.json` holds it.

    root: as in Known. vendor: name of the known provider it is an instance of, '' for others.
    auth: `key` sends an account's key, `client` passes the caller's own credential on, `none` sends nothing.
    added: seconds since 1970, for the order of ties. insecure_http: the user allowed http:// to a public address.
    """

    name: str
    root: str
    protocols: tuple[str, ...]
    vendor: str = ""
    auth: Literal["key", "client", "none"] = "key"
    accounts: tuple[Account, ...] = ()
    enabled: bool = True
    added: float = 0.0
    insecure_http: bool = False
