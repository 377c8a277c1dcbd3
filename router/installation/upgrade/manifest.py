"""The description of one release: `release.json`, which `release.json.minisig` signs.

It is written by packaging/release.py from the built files, and read by `fairlead upgrade`, the installers' scripts and
the generator of the channels.
"""

import msgspec

#: The version of this description's own form. A reader refuses a newer one.
SCHEMA = 1


class ReleaseFile(msgspec.Struct, kw_only=True, frozen=True):
    """One downloadable form of the program."""

    #: `linux`, `macos` or `windows`.
    os: str
    #: `x86_64` or `arm64`.
    arch: str
    #: `glibc` or `musl`; empty where the system has only one.
    libc: str = ""
    #: `folder` (an archive) or `file` (the program in one file).
    form: str
    #: The file's name below the release's address: letters, digits, `.`, `_` and `-`.
    name: str
    #: Bytes of the file as it is downloaded.
    size: int
    #: SHA-256 of those bytes, in lower-case hexadecimal digits.
    sha256: str
    #: Bytes of all files after unpacking; `size` for the form `file`.
    unpacked: int
    #: Signed for its system (Developer ID, Authenticode). A name of an unsigned one says so.
    signed: bool = False


class Release(msgspec.Struct, kw_only=True, frozen=True):
    """One release, and all its programs."""

    schema: int = SCHEMA
    #: MAJOR.MINOR.PATCH.
    version: str
    #: The day it was made, YYYY-MM-DD.
    date: str
    #: The day from which this description is too old to install from, YYYY-MM-DD.
    expires: str
    channel: str = "stable"
    #: The oldest version that can be upgraded to this one.
    min_from: str = "0.1.0"
    #: What is new, in at most 2,000 characters: the entry of CHANGELOG.
    notes: str = ""
    #: `PRAGMA user_version` of the newest history.db that this release reads.
    history_schema: int
    files: list[ReleaseFile]
