"""Known providers as data, and the form in which a configured backend is held. No I/O."""

from typing import Literal

import msgspec

PROTOCOLS = ("messages", "chat", "responses")


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A provider fairlead knows by name.

    root: URL that `/chat/completions` or `/messages` is appended to (it includes `/v1` where the provider has it).
    other_roots: its roots in other regions, and former ones.
    auth: header form of the provider's key. families: regular expressions (whole match) of the model names that are
    this provider's. stream_usage: True when a Chat stream reports usage only if asked by `stream_options`.
    own_headers: lower-case names of request headers that are meant for this provider and go to no other.
    models: dated list for backends whose catalog cannot be read without a key of ours (auth=client).
    """

    name: str
    title: str
    root: str
    protocols: tuple[str, ...]
    other_roots: tuple[str, ...] = ()
    auth: Literal["bearer", "x-api-key"] = "bearer"
    needs_key: bool = True
    families: tuple[str, ...] = ()
    stream_usage: bool = False
    own_headers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


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
