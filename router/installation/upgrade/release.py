"""Reads the signed description of a release, and decides whether it may be installed here.

All of these hold, or nothing is installed: a known key signed it; its trusted comment names the same version and day;
its form is known; it is of the version that was asked for, or not older than what is installed; it has not expired; it
names one file for this system, of a plausible name and size.
"""

import datetime
import re
from collections.abc import Sequence

import msgspec

from router.errors import CommandError
from router.installation.upgrade.manifest import SCHEMA, Release, ReleaseFile
from router.installation.upgrade.minisign import BadSignature, verify
from router.installation.upgrade.system import System

#: Bytes of release.json, of a download and of what it unpacks to.
MANIFEST_LIMIT, FILE_LIMIT, UNPACKED_LIMIT = 1 << 20, 64 << 20, 512 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NOTHING = "Nothing was changed."


def parse_version(text: str) -> tuple[int, int, int] | None:
    """MAJOR.MINOR.PATCH as numbers; None for any other text."""
    parts = text.split(".")
    # Unlike isdigit, isdecimal is false for superscripts, and isascii for other scripts' digits.
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 7 for part in parts):
        return None
    major, minor, patch = map(int, parts)
    return (major, minor, patch)


def read_release(data: bytes, signature: bytes, keys: Sequence[str]) -> Release:
    """The release that a signed description tells of. Raises CommandError."""
    if not keys:
        raise CommandError(
            "this build holds no public key of releases, so that none can be verified.",
            f"{_NOTHING} Download and verify by hand: VERIFY.md on fairlead's page says how.",
        )
    try:
        comment = verify(data, signature, keys)
    except BadSignature as error:
        raise CommandError(f"the signature of release.json was refused: {error}.", _NOTHING) from None
    try:
        if msgspec.json.decode(data, type=_Form).schema > SCHEMA:
            raise CommandError(
                "the release is described in a form that this version does not know.",
                "Install it anew with the installer on fairlead's page.",
            )
        release = msgspec.json.decode(data, type=Release)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(f"release.json cannot be read: {error}.", _NOTHING) from None
    if comment != f"fairlead {release.version} {release.date}":
        raise CommandError(
            f'the signature is of "{comment[:80]}", release.json of fairlead {release.version} {release.date}.',
            _NOTHING,
        )
    if parse_version(release.version) is None or parse_version(release.min_from) is None:
        raise CommandError("release.json names a version that is none.", _NOTHING)
    return release


class _Form(msgspec.Struct):
    schema: int


def is_newer(version: str, than: str) -> bool:
    """True when a version is higher; any is higher than one that is no MAJOR.MINOR.PATCH."""
    return (parse_version(version) or (0, 0, 0)) > (parse_version(than) or (0, 0, 0))


def has_expired(release: Release, today: datetime.date) -> bool:
    """True when the description is too old to be the newest. Raises CommandError for a day that is none."""
    try:
        return today >= datetime.date.fromisoformat(release.expires)
    except ValueError:
        raise CommandError("release.json does not say until when it is the newest.", _NOTHING) from None


def check_installable(release: Release, *, current: str, asked: str, today: datetime.date) -> None:
    """Refuse a release that must not replace `current`. asked: the version that the user named, '' for the newest.
    Raises CommandError."""
    if asked and release.version != asked:
        raise CommandError(f"{asked} was asked for, and the server sent the release {release.version}.", _NOTHING)
    if not asked:
        pinned = f"To install it nonetheless:   fairlead upgrade --to {release.version}"
        if is_newer(current, release.version):
            raise CommandError(
                f"{current} is installed, and the newest release that the server names is {release.version}.", pinned
            )
        if has_expired(release, today):
            raise CommandError(
                f"the server's newest release, {release.version} of {release.date}, expired on {release.expires}: "
                "the server holds back newer ones, or this machine's clock is wrong.",
                pinned,
            )
    if is_newer(release.min_from, current) and is_newer(release.version, current):
        raise CommandError(
            f"{release.version} can be installed from {release.min_from} on; this is {current}.",
            f"First:   fairlead upgrade --to {release.min_from}",
        )


def choose_file(release: Release, system: System, form: str) -> ReleaseFile:
    """The program for a system. Raises CommandError when there is none, or one that is described wrongly."""
    found = [file for file in release.files if (file.os, file.arch, file.libc) == tuple(system) and file.form == form]
    if len(found) != 1:
        what = "the program in one file" if form == "file" else "a program"
        raise CommandError(f"the release {release.version} does not have {what} for {system}.", _NOTHING)
    file = found[0]
    place = f"{system.os}-{system.arch}{'-musl' if system.libc == 'musl' else ''}"
    stem = f"fairlead-{release.version}-{place}" if form == "folder" else f"fairlead-{place}"
    rest = file.name.removeprefix(stem).removeprefix("-unsigned")
    ends = (".tar.xz", ".zip") if form == "folder" else ("", ".exe")
    if not _NAME.fullmatch(file.name) or not file.name.startswith(stem) or rest not in ends:
        raise CommandError(f"release.json names {file.name[:80]!a} as the program for {system}.", _NOTHING)
    if not (0 < file.size <= FILE_LIMIT and 0 < file.unpacked <= UNPACKED_LIMIT) or not _DIGEST.fullmatch(file.sha256):
        raise CommandError(f"release.json gives {file.name} a size or hash that cannot be.", _NOTHING)
    return file
