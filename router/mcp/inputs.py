"""What the tools are asked. The schemas that hosts show to their models are made from these forms (`schemas`)."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

_Name = Annotated[str, Meta(max_length=256)]
_Since = Annotated[str, Meta(max_length=40, description="60m, 24h, 7d, today, or a date such as 2026-11-01")]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No arguments."""


class Models(msgspec.Struct, forbid_unknown_fields=True):
    """Which models are listed."""

    query: Annotated[_Name, Meta(description="only names that contain this")] = ""
    backend: Annotated[_Name, Meta(description="only this backend's")] = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class Explain(msgspec.Struct, forbid_unknown_fields=True):
    """A request that might be sent."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    protocol: Literal["messages", "chat", "responses"] | UnsetType = UNSET
    tokens: Annotated[int, Meta(ge=0, le=2_000_000, description="its length, in tokens")] | UnsetType = UNSET
    tools: Annotated[bool, Meta(description="it declares tools")] = False
    images: Annotated[bool, Meta(description="it has an image")] = False


class Why(msgspec.Struct, forbid_unknown_fields=True):
    """A recorded request."""

    id: Annotated[
        str, Meta(min_length=1, max_length=64, description="its id, or the beginning or end of it; latest: the newest")
    ] = "latest"


class Requests(msgspec.Struct, forbid_unknown_fields=True):
    """Which recorded requests are listed."""

    since: _Since = "15m"
    status: Annotated[Literal["all", "errors"], Meta(description="errors: only those that failed")] = "all"
    model: Annotated[_Name, Meta(description="only models whose name contains this")] = ""
    client: Annotated[_Name, Meta(description="only this client's, such as claude-code")] = ""
    limit: Annotated[int, Meta(ge=1, le=50)] = 20


class Usage(msgspec.Struct, forbid_unknown_fields=True):
    """What is added up."""

    since: _Since = "24h"
    by: Literal["model", "account", "client", "tag", "backend"] = "model"


class Doctor(msgspec.Struct, forbid_unknown_fields=True):
    """Which checks are made."""

    offline: Annotated[bool, Meta(description="false: also reach each backend; no model is ever asked")] = True


class Config(msgspec.Struct, forbid_unknown_fields=True):
    """Which settings are shown."""

    key: Annotated[
        str, Meta(max_length=256, description="one setting, or the beginning of several, such as timeouts")
    ] = ""
