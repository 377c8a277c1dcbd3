"""What the files at hand say: config.toml, the backends, history.db, read without the modules that check them.

Rules of this file: nothing is created, no network is used, no key leaves it; a file that cannot be read says nothing,
as completion must not fail where a command would report the error.
"""

from __future__ import annotations

import os
import stat
import sys

from router.errors import CommandError
from router.store.home.place import find_home

TYPE_CHECKING = False  # as in `typing`
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

#: Bytes of a file that are read at most; a longer one is left out.
_FILE_LIMIT = 262_144
#: The newest requests, of which models and tags are told.
_LOOKED_THROUGH = 2000
_REQUESTS = 20


class Request:
    """A request of the history. time: seconds since 1970."""

    __slots__ = ("id", "model", "status", "time")

    def __init__(self, identity: str, time: float, model: str, status: int):
        self.id = identity
        self.time = time
        self.model = model
        self.status = status


class Files:
    """The files of one home. What is read is kept. begin: called before each reading."""

    def __init__(self, environ: Mapping[str, str], begin: Callable[[], None] = lambda: None):
        self._begin = begin
        try:
            self._home = find_home(environ)
        except CommandError:
            self._home = ""
        self._config: dict[str, Any] | None = None

    @property
    def config(self) -> dict[str, Any]:
        """The values of config.toml; none where it cannot be read."""
        if self._config is None:
            self._config = _parse_toml(self._read("config.toml"))
        return self._config

    def list_backends(self) -> list[str]:
        """The names of the configured backends, sorted."""
        return self._list_names("backends", ".json")

    def list_logins(self) -> list[str]:
        """The names of the logins, sorted."""
        return self._list_names("logins", ".json")

    def list_client_keys(self) -> list[str]:
        """The names of the client keys, sorted."""
        return self._list_names("keys", ".json")

    def list_tool_keys(self) -> list[str]:
        """The tools for which a client key was made, sorted."""
        return self._list_names("keys/tools", "")

    def _list_names(self, folder: str, suffix: str) -> list[str]:
        """The names of the files in a folder of the home, without their suffix."""
        if not self._home:
            return []
        self._begin()
        try:
            names = os.listdir(os.path.join(self._home, folder))
        except OSError:
            return []
        return sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix) and name[0] != ".")

    def read_backend(self, name: str) -> dict[str, Any]:
        """What is stored of a backend, without the keys of its accounts."""
        if not name or "/" in name or "\\" in name:
            return {}
        fields = _parse_json(self._read(f"backends/{name}.json"))
        fields["accounts"] = [str(as_table(account).get("alias", "")) for account in as_list(fields.get("accounts"))]
        return fields

    def list_requests(self) -> list[Request]:
        """The newest requests, the newest first."""
        query = (
            "SELECT r.id, r.time / 1000.0, names.text, r.status FROM requests AS r "
            "JOIN names ON names.id = r.model ORDER BY r.seq DESC LIMIT ?"
        )
        return [Request(*row) for row in self._query(query, (_REQUESTS,)) if _has_types(row, str, float, str, int)]

    def list_served(self) -> list[tuple[str, str]]:
        """Models that backends served lately, with the backend."""
        query = (
            "SELECT DISTINCT models.text, backends.text FROM "
            "(SELECT served, backend FROM requests WHERE status = 200 ORDER BY seq DESC LIMIT ?) AS r "
            "JOIN names AS models ON models.id = r.served JOIN names AS backends ON backends.id = r.backend"
        )
        return [(row[0], row[1]) for row in self._query(query, (_LOOKED_THROUGH,)) if _has_types(row, str, str)]

    def list_tags(self) -> list[str]:
        """The tags of the newest requests."""
        query = (
            "SELECT DISTINCT names.text FROM (SELECT tag FROM requests ORDER BY seq DESC LIMIT ?) AS r "
            "JOIN names ON names.id = r.tag"
        )
        return [row[0] for row in self._query(query, (_LOOKED_THROUGH,)) if _has_types(row, str)]

    def _read(self, name: str) -> bytes:
        """The content of a plain file of the home; nothing of a link, a pipe, or one of another user."""
        # Without waiting: a pipe in its place would never give anything.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        if not self._home:
            return b""
        self._begin()
        try:
            with os.fdopen(os.open(os.path.join(self._home, name), flags), "rb") as file:
                entry = os.fstat(file.fileno())
                data = file.read(_FILE_LIMIT + 1) if _is_own(entry) else b""
        except OSError:
            return b""
        return data if len(data) <= _FILE_LIMIT else b""

    def _query(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        # A history outside of the home, as that of a home on a network file system, is left out: to find it, the
        # system's mounts would have to be read.
        path = os.path.join(self._home, "history.db")
        self._begin()
        try:
            if not self._home or not _is_own(os.lstat(path)):
                return []
        except OSError:
            return []
        import sqlite3

        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(f"{_format_uri(path)}?mode=ro", uri=True, timeout=0.1)
            return db.execute(query, values).fetchall()
        except (sqlite3.Error, ValueError):
            return []
        finally:
            if db is not None:
                db.close()


def _format_uri(path: str) -> str:
    """The path for SQLite. `pathlib` has this too, and takes longer to load than SQLite."""
    if sys.platform == "win32":
        path = "/" + path.replace("\\", "/")
    return "file:" + path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _is_own(entry: os.stat_result) -> bool:
    """True for a plain file of this user."""
    if not stat.S_ISREG(entry.st_mode):
        return False
    return sys.platform == "win32" or entry.st_uid == os.getuid()


def _has_types(row: Sequence[object], *types: type) -> bool:
    return all(isinstance(value, kind) for value, kind in zip(row, types, strict=True))


def _parse_toml(data: bytes) -> dict[str, Any]:
    if not data:
        return {}
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}


def _parse_json(data: bytes) -> dict[str, Any]:
    if not data:
        return {}
    import json

    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return as_table(found)


def as_table(value: Any) -> dict[str, Any]:
    """The value itself where it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def as_list(value: Any) -> list[Any]:
    """The value itself where it is a list, else an empty one."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
