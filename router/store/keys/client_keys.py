"""Client keys at rest: `keys/NAME.json` holds the digest of each, and `keys/tools/TOOL` the key that a tool reads.

Rules of this file: a key is shown once, when it is made; what is kept of it is its SHA-256, of which it cannot be
found again since it is random. A tool that cannot be given a key otherwise reads it from a private file, the only one
that holds a key as it is. Files are replaced under the home's lock. All functions block.
"""

import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from router.errors import CommandError
from router.policy.grants.grant import TOOL_PREFIX
from router.policy.grants.key_form import BITS, digest_key, explain_fault, format_key
from router.settings import Secret
from router.settings.kinds import BACKEND, InvalidValue, clean, display
from router.settings.reading import RESERVED_KEYS
from router.store.home.home import Home
from router.store.home.permissions import shown, word

FOLDER, TOOLS = "keys", "keys/tools"
#: Ends the name of the file that has a key of another home end.
MARK = ".revoked"
_SUFFIX = ".json"


class Previous(msgspec.Struct, frozen=True):
    """The key before the last rotation, which is valid for a while beside its successor."""

    sha256: str
    #: Seconds since 1970.
    until: float


class StoredKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a key."""

    #: Hexadecimal digits.
    sha256: str
    #: Seconds since 1970.
    created: float
    #: The last characters of it, by which a user knows it again.
    last4: str
    previous: Previous | None = None
    #: The digest of the first secret that the key had, '' where it has that.
    first: str = ""
    #: Of two homes of a team that have the key, the one with more has changed it later.
    version: int = 1

    @property
    def identity(self) -> str:
        """What stays the same over all its secrets."""
        return self.first or self.sha256

    def digests(self, now: float) -> list[bytes]:
        """The digests of the keys that are valid now."""
        found = [bytes.fromhex(self.sha256)]
        if self.previous is not None and now < self.previous.until:
            found.append(bytes.fromhex(self.previous.sha256))
        return found


class LoadedKeys(NamedTuple):
    """The keys of a home, with what shows that a file is still the one that was read."""

    files: Mapping[str, tuple[tuple[int, int, int], StoredKey]] = {}
    #: Files that cannot be used, each with what helps.
    problems: tuple[str, ...] = ()
    #: Names of keys of other homes that are to end.
    revoked: tuple[str, ...] = ()

    @property
    def found(self) -> dict[str, StoredKey]:
        """By name."""
        return {name: entry[1] for name, entry in self.files.items()}


def generate() -> Secret:
    """A new key."""
    return Secret(format_key(secrets.token_bytes(BITS // 8)))


def check_name(text: str) -> str:
    """The name of a key. Raises CommandError."""
    try:
        name = BACKEND.parse_text(text)
    except InvalidValue as wrong:
        expected = wrong.text.replace("backend's", "key's")
        raise CommandError(f"the name is {display(text)}; expected {expected}.") from None
    if name in RESERVED_KEYS:
        raise CommandError(f"{name} is a name that fairlead has itself; choose another.")
    return name


def are_there(home: Home) -> bool:
    """True when somebody has made a key; those that `setup` makes for tools of this machine are not for others."""
    return any(not name.startswith(TOOL_PREFIX) for name in home.names(FOLDER, _SUFFIX))


def find_key(home: Home, key: bytes) -> str:
    """The name of the key that a text is, '' when it is none of this home. Reads all of them."""
    digest, now = digest_key(key), time.time()
    return next((name for name, one in load(home).found.items() if digest in one.digests(now)), "")


def read_key(home: Home, name: str) -> StoredKey | None:
    """What is kept of a key; None when there is none. Raises CommandError."""
    data = home.read(f"{FOLDER}/{name}{_SUFFIX}")
    return None if data is None else _decode(home, name, data)


def _decode(home: Home, name: str, data: bytes) -> StoredKey:
    path = home.at(f"{FOLDER}/{name}{_SUFFIX}")
    try:
        found = msgspec.json.decode(data, type=StoredKey)
        if any(len(digest) != 32 for digest in found.digests(0.0)):
            raise ValueError
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise CommandError(
            f"{shown(path)} holds no key.", f"Remove it, and make a new one:   rm {word(path)}"
        ) from None
    return found


def load(home: Home, before: LoadedKeys | None = None) -> LoadedKeys:
    """All keys. before: what was loaded last, of which unchanged files are not read again. Raises CommandError when the
    folder is refused."""
    known = LoadedKeys().files if before is None else before.files
    files: dict[str, tuple[tuple[int, int, int], StoredKey]] = {}
    problems: list[str] = []
    for name in home.names(FOLDER, _SUFFIX):
        try:
            state = home.at(f"{FOLDER}/{name}{_SUFFIX}").lstat()
        except OSError:
            continue
        mark = (state.st_ino, state.st_size, state.st_mtime_ns)
        entry = known.get(name)
        if entry is None or entry[0] != mark:
            try:
                found = read_key(home, check_name(name))
            except CommandError as error:
                problems.append(f"{error} {error.hint}".strip())
                continue
            if found is None:
                continue
            entry = (mark, found)
        files[name] = entry
    return LoadedKeys(files, tuple(problems), tuple(home.names(FOLDER, MARK)))


def add_key(home: Home, name: str, key: Secret | None = None, *, now: float | None = None) -> Secret:
    """Make the key of a name, which must not have one. key: one that exists already. Raises CommandError."""
    name = check_name(name)
    made = generate() if key is None else key
    with home.lock():
        check_free(home, name)
        put_key(home, name, make_stored(made, time.time() if now is None else now))
    return made


def check_free(home: Home, name: str) -> None:
    """Raise CommandError when there is a key of that name, or it is for keys that `setup` makes."""
    if name.startswith(TOOL_PREFIX):
        raise CommandError(
            f"{name} is a name of a key that is made for a tool; choose another.",
            f"Or have it made:   fairlead setup {name.removeprefix(TOOL_PREFIX)}",
        )
    if read_key(home, name) is not None:
        raise CommandError(
            f"there is a key {name} already.",
            f"Change what it may use:   fairlead keys set {name} --models …\n"
            f"Replace its secret:       fairlead keys rotate {name}",
        )


def rotate_key(home: Home, name: str, grace: float, *, now: float | None = None) -> Secret:
    """Replace a key. grace: seconds for which the old one stays valid. Raises CommandError."""
    moment = time.time() if now is None else now
    made = generate()
    with home.lock():
        old = require_key(home, name)
        previous = Previous(old.sha256, moment + grace) if grace > 0 else None
        new = make_stored(made, moment)
        put_key(home, name, msgspec.structs.replace(new, previous=previous, first=old.identity, version=old.version))
    return made


def revoke_key(home: Home, name: str) -> bool:
    """Remove a key, and the file of the tool that reads it; False when there was none. Raises CommandError."""
    with home.lock():
        tool = name.removeprefix(TOOL_PREFIX)
        if tool != name:
            home.remove(f"{TOOLS}/{tool}")
        return home.remove(f"{FOLDER}/{name}{_SUFFIX}")


def remove_mark(home: Home, name: str) -> None:
    """Take back the mark of a key that has ended. Raises CommandError."""
    home.remove(f"{FOLDER}/{name}{MARK}")


def require_key(home: Home, name: str) -> StoredKey:
    """What is kept of a key that must be there. Raises CommandError."""
    found = read_key(home, check_name(name))
    if found is None:
        raise CommandError(
            f"there is no key {clean(name)}.", f"List them:   fairlead keys list\nMake it:     fairlead keys add {name}"
        )
    return found


def make_stored(key: Secret, now: float) -> StoredKey:
    """What is kept of a new key. now: seconds since 1970."""
    text = key.reveal()
    return StoredKey(digest_key(text.encode()).hex(), now, text[-4:])


def put_key(home: Home, name: str, key: StoredKey) -> None:
    """Write the file of a key. Raises CommandError."""
    home.write(f"{FOLDER}/{name}{_SUFFIX}", msgspec.json.encode(key) + b"\n")


# Keys that tools read


def read_tool_key(home: Home, tool: str) -> Secret | None:
    """The key that was made for a tool, such as `codex`; None when there is none. Raises CommandError."""
    data = home.read(f"{TOOLS}/{_check_tool(tool)}")
    if data is None:
        return None
    key = data.decode("utf-8", "replace").strip()
    fault = explain_fault(key)
    if fault:
        path = home.at(f"{TOOLS}/{tool}")
        raise CommandError(
            f"{shown(path)} holds no client key: {fault}.",
            f"Remove it, and set the tool up again:   rm {word(path)}   and   fairlead setup {tool}",
        )
    return Secret(key)


def make_tool_key(home: Home, tool: str) -> Secret:
    """The key of a tool, made at its first use: named `tool-TOOL`, kept as it is in `keys/tools/TOOL` (0600), since the
    tool reads it there. A file whose key was revoked is replaced. Raises CommandError."""
    name = TOOL_PREFIX + _check_tool(tool)
    with home.lock():
        present, stored = read_tool_key(home, tool), read_key(home, name)
        known = () if stored is None else stored.digests(time.time())
        if present is not None and digest_key(present.reveal().encode()) in known:
            return present
        made = generate()
        # The file first: a crash between the two leaves a key that is not accepted, and is replaced the next time.
        home.write(f"{TOOLS}/{tool}", made.reveal().encode() + b"\n")
        put_key(home, name, make_stored(made, time.time()))
    return made


def _check_tool(tool: str) -> str:
    return check_name(TOOL_PREFIX + tool).removeprefix(TOOL_PREFIX)
