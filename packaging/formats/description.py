"""One release as the generators of the channels see it: what it is called, and where each of its files is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from router.installation.project import REPOSITORY
from router.installation.upgrade.manifest import SCHEMA, Release, ReleaseFile

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = Path(__file__).resolve().parent / "templates"
HOMEPAGE = f"https://github.com/{REPOSITORY}"
#: Without a full stop, as package managers want it.
SUMMARY = "Local LLM router: one URL on your machine, every LLM behind it"
LICENSE = "MIT"
MAINTAINER = "The fairlead authors <fairlead@users.noreply.github.com>"

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLACE = re.compile(r"@[A-Z][A-Z0-9_]*@")


class ChannelError(Exception):
    """What went wrong, and what mends it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}\n       {hint}")


@dataclass(frozen=True, kw_only=True)
class Description:
    """A release, the folder that holds its built files, and the address below which they are published."""

    release: Release
    folder: Path
    releases_url: str

    @property
    def version(self) -> str:
        return self.release.version

    @property
    def epoch(self) -> int:
        """The release's day in seconds since 1970: the time that packages carry."""
        return int(datetime.fromisoformat(self.release.date).replace(tzinfo=UTC).timestamp())

    def url(self, name: str) -> str:
        """Where a file of this release is downloaded."""
        return f"{self.releases_url}/download/v{self.version}/{name}"

    def find(self, os: str, arch: str, *, libc: str = "", form: str = "folder") -> ReleaseFile | None:
        """The file for a system; None when this release has none."""
        wanted = (os, arch, libc, form)
        return next((file for file in self.release.files if (file.os, file.arch, file.libc, file.form) == wanted), None)

    def need(self, os: str, arch: str, *, libc: str = "", form: str = "folder") -> ReleaseFile:
        """The same. Raises ChannelError when there is none."""
        found = self.find(os, arch, libc=libc, form=form)
        if found is None:
            system = " ".join(filter(None, (os, arch, libc)))
            raise ChannelError(
                f"release.json has no file for {system} in the form '{form}'.",
                "Build it first, or leave the channel out with --only.",
            )
        return found


def read(path: Path, *, folder: Path | None, releases_url: str) -> Description:
    """Read release.json. folder: where the built files are, by default beside it. Raises ChannelError."""
    try:
        release = msgspec.json.decode(path.read_bytes(), type=Release)
    except OSError as error:
        raise ChannelError(f"{path} cannot be read: {error.strerror}.", "packaging/release.py writes it.") from None
    except msgspec.ValidationError as error:
        raise ChannelError(f"{path} does not describe a release: {error}.", "packaging/release.py writes it.") from None
    _check(release, path)
    return Description(release=release, folder=folder or path.parent, releases_url=releases_url.rstrip("/"))


def _check(release: Release, path: Path) -> None:
    """These values go into scripts and manifests: nothing but the forms that are promised."""
    hint = "packaging/release.py writes it."
    if release.schema != SCHEMA:
        raise ChannelError(f"{path} has schema {release.schema}, not {SCHEMA}.", hint)
    if not _VERSION.fullmatch(release.version):
        raise ChannelError(f"{path}: {release.version!r} is not a version.", hint)
    try:
        datetime.strptime(release.date, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ChannelError(f"{path}: {release.date!r} is not a day.", hint) from None
    for file in release.files:
        if not _NAME.fullmatch(file.name) or not _SHA256.fullmatch(file.sha256):
            raise ChannelError(f"{path}: {file.name!r} has no proper name or SHA-256.", hint)


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template with its @NAME@ places filled. Raises ChannelError for a place without a value."""
    text = (TEMPLATES / template).read_text("utf-8")
    missing = sorted({place for place in _PLACE.findall(text) if place.strip("@") not in values})
    if missing:
        raise ChannelError(f"{template} asks for {', '.join(missing)}.", "Give it a value where it is filled.")
    return _PLACE.sub(lambda found: values[found[0].strip("@")], text)


def write(path: Path, text: str) -> None:
    """Write a text file with LF, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="\n")
