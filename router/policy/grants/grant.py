"""What a client key may use: models, backends and paths, and for how long. Time is a parameter.

A key that was made for one process has the key that made it as its parent, and may use what both may.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING

from router.backends import Backend
from router.settings.tables import KeyOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The name of the one key that is no grant: `api_key`, or the client key of the home.
DEFAULT = "default"
#: The names of the keys that are made for tools of this machine begin so.
TOOL_PREFIX = "tool-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one key may use. None for no limit."""

    #: Its identity in the history, in budgets and in limits; that of a child begins with its parent's and a dot.
    name: str
    #: Globs on a model's name, and on `backend:model`.
    models: tuple[str, ...] | None = None
    #: Names of backends.
    backends: tuple[str, ...] | None = None
    #: Seconds since 1970.
    expires: float | None = None
    #: Requests and tokens in any minute.
    rpm: int | None = None
    tpm: int | None = None
    #: Requests at a time.
    max_concurrent: int | None = None
    #: `inference`, `all` or `models`.
    paths: str = "inference"
    #: The tag that its requests have, '' to leave it to the caller.
    tag: str = ""
    #: Whether it may use backends that get the caller's own login.
    auth_client: bool = True
    #: It was made for one process.
    is_child: bool = False
    parent: "Grant | None" = None

    @property
    def line(self) -> "Iterator[Grant]":
        """The grant and those above it."""
        one: Grant | None = self
        while one is not None:
            yield one
            one = one.parent

    @property
    def owner(self) -> str:
        """The name under which ids belong to it: that of the key at the top, whose processes share them; '' for those
        of the default key and of callers without one."""
        top = self
        while top.parent is not None:
            top = top.parent
        return "" if top.name == DEFAULT or top.is_child else top.name

    @property
    def forced_tag(self) -> str:
        """The tag of its requests; that of the key at the top counts, '' when the caller chooses."""
        return next((one.tag for one in reversed([*self.line]) if one.tag), "")

    @property
    def is_limited(self) -> bool:
        """True when it may not use every model of every backend."""
        return any(one.models is not None or one.backends is not None or not one.auth_client for one in self.line)

    @property
    def names_models(self) -> bool:
        """True when it may use some models only."""
        return any(one.models is not None for one in self.line)


def make_grant(name: str, options: KeyOptions) -> Grant:
    """The grant of a key by its table in config.toml."""
    return Grant(
        name=name,
        models=options.models,
        backends=options.backends,
        expires=None if options.expires is None else find_end(options.expires),
        rpm=options.rpm,
        tpm=options.tpm,
        max_concurrent=options.max_concurrent,
        paths=options.paths,
        tag=options.tag,
        auth_client=name.startswith(TOOL_PREFIX) if options.auth_client is None else options.auth_client,
    )


def find_end(day: str) -> float:
    """The end of a day, as `2027-01-31`, in local time: seconds since 1970."""
    return (datetime.fromisoformat(day) + timedelta(days=1)).timestamp()


def find_expired(grant: Grant, now: float) -> Grant | None:
    """The grant, of this one and those above it, that has expired; None while all hold."""
    return next((one for one in grant.line if one.expires is not None and now >= one.expires), None)


@lru_cache(maxsize=1024)
def compile_globs(globs: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Patterns for whole names, without regard to case. A glob knows `*` and `?`."""
    return tuple(re.compile(translate(glob.replace("[", "[[]")), re.IGNORECASE) for glob in globs)


def allows_backend(grant: Grant, backend: str) -> bool:
    """True when a grant, without those above it, allows a backend."""
    return grant.backends is None or backend in grant.backends


def allows(grant: Grant, backend: Backend, model: str | None, alias: str = "") -> bool:
    """True when a grant and those above it allow a backend, with a model unless that is None. alias: as for
    `allows_model`."""
    return all(
        allows_backend(one, backend.name)
        and (one.auth_client or backend.auth != "client")
        and (model is None or allows_model(one, backend.name, model, alias))
        for one in grant.line
    )


def allows_model(grant: Grant, backend: str, model: str, alias: str = "") -> bool:
    """True when a grant, without those above it, allows a model of a backend. alias: the name that stood for it, ''
    when there is none."""
    if grant.models is None:
        return True
    names = (model, f"{backend}:{model}", alias)
    return any(name and pattern.match(name) for pattern in compile_globs(grant.models) for name in names)


def describe_models(grant: Grant) -> str:
    """The models of a grant, for an error."""
    names = grant.models or ()
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (", ".join(names[:10]) or "none") + more
