"""Family shortcuts: `opus` is the newest Claude Opus of the live catalogs, `opus46` is Claude Opus 4.6 and no other.

Versions are ordered by number (4-8 before 5, 4.5 before 4.10). Names of one version are one model: of a backend's own
names the plain one is taken before `-latest`, that before a dated one, and the younger date before the older.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from router.backends import Backend

LONG = "[1m]"
_LONG_SUFFIX = re.compile(r"(?<!\[1m\])(?:\[1m\])++$", re.IGNORECASE)

_VERSION = r"\d{1,2}(?:[.-]\d{1,2})?"
_STAMP = r"(?:[-@](?P<date>\d{8}|\d{4}-\d{2}-\d{2})|-(?P<latest>latest))?"
# First word of a name -> the families it may be of.
_NAMES: dict[str, tuple[tuple[str, re.Pattern[str]], ...]] = {
    "claude": tuple(
        (family, re.compile(rf"claude-(?:{family}(?:-(?P<v>{_VERSION}))?|(?P<w>{_VERSION})-{family}){_STAMP}"))
        for family in ("opus", "sonnet", "haiku")
    ),
    "gpt": tuple(
        (f"gpt{tier}", re.compile(rf"gpt-(?P<v>{_VERSION})(?P<o>o?){tier}{_STAMP}")) for tier in ("", "-mini", "-nano")
    ),
    "gemini": tuple(
        (f"gemini-{tier}", re.compile(rf"gemini-(?P<v>{_VERSION})-{tier}{_STAMP}")) for tier in ("pro", "flash")
    ),
    "grok": (("grok", re.compile(rf"grok-(?P<v>{_VERSION}){_STAMP}")),),
}
FAMILIES = frozenset(family for families in _NAMES.values() for family, _ in families)
#: A name of each family's vendor, by family.
EXAMPLES = {family: f"{word}-1" for word, families in _NAMES.items() for family, _ in families}
_INITIALS = frozenset(letter for family in FAMILIES for letter in (family[0], family[0].upper()))
_PIN = re.compile(r"(opus|sonnet|haiku)[-_.]?(?:(\d)[-_.]?(\d{1,2})|(\d{1,2}))")

# `claude-opus-latest` names no version: it is the vendor's own pointer to the newest.
_NEWEST = (1_000_000,)
_PLAIN, _LATEST = 10**9 + 1, 10**9

Version = tuple[int, ...]


class Candidate(NamedTuple):
    """A model of a family at one backend."""

    #: The backend's place among all.
    order: int
    #: Which of several names of one version is taken: the highest.
    stamp: int
    model: str
    backend: Backend


Versions = dict[Version, list[Candidate]]


@dataclass(frozen=True, slots=True)
class Shortcuts:
    """The models of each family by version, the newest first; of one version those of the backend added first."""

    families: Mapping[str, Versions] = field(default_factory=dict[str, Versions])

    def newest(self, name: str, protocol: str | None, among: Sequence[Backend] | None = None) -> str | None:
        """The model a shortcut or a pin stands for; None when the catalogs have none. protocol: preferred among
        backends of one version. among: look at the models of these backends alone."""
        wanted = parse_shortcut(name)
        if wanted is None:
            return None
        versions = self.families.get(wanted[0], {})
        chosen = None if among is None else {id(backend) for backend in among}
        for version in wanted[1] or versions:
            same = versions.get(version, ())
            if chosen is not None:
                same = [one for one in same if id(one.backend) in chosen]
            if same:
                return next((one for one in same if protocol in one.backend.protocols), same[0]).model
        return None


def strip_long(name: str) -> str:
    """The name without its `[1m]`, which wrappers write in any case, and some more than once."""
    return _LONG_SUFFIX.sub("", name) if name.endswith("]") else name


def parse_shortcut(name: str) -> tuple[str, Sequence[Version]] | None:
    """The family a shortcut names, and for a pin the versions it may mean; None for any other name."""
    if name[:1] not in _INITIALS:
        return None
    plain = strip_long(name.lower())
    if plain in FAMILIES:
        return plain, ()
    pin = _PIN.fullmatch(plain)
    if pin is None:
        return None
    family, major, minor, whole = pin.groups()
    if whole is not None:
        return family, [_trim((int(whole),))]
    versions = [_trim((int(major), int(minor)))]
    if len(minor) == 1 and not re.search(r"\d[-_.]\d", plain):
        versions.append((int(major + minor),))  # opus10, when there is no 1.0
    return family, versions


def collect_shortcuts(backends: Sequence[Backend], catalogs: Mapping[str, Sequence[str]]) -> Shortcuts:
    """All models of the known families in the catalogs."""
    found: dict[str, Versions] = {}
    for order, backend in enumerate(backends):
        for model in catalogs.get(backend.name, ()):
            parsed = parse_version(model)
            if parsed is not None:
                family, version, stamp = parsed
                same = found.setdefault(family, {}).setdefault(version, [])
                same.append(Candidate(order, stamp, model, backend))
    return Shortcuts({family: _sort_versions(versions) for family, versions in found.items()})


def _sort_versions(versions: Versions) -> Versions:
    best = sorted(versions.items(), reverse=True, key=lambda item: item[0])
    return {version: sorted(same, key=lambda one: (one.order, -one.stamp, len(one.model))) for version, same in best}


def parse_version(model: str) -> tuple[str, Version, int] | None:
    """Family, version and stamp of a model's name, which may have a vendor's path in front; None for others."""
    name = model.rpartition("/")[2].lower()
    for family, pattern in _NAMES.get(name.partition("-")[0], ()):
        match = pattern.fullmatch(name)
        if match is not None:
            return family, _read_version(match.groupdict()), _read_stamp(match)
    return None


def _read_version(groups: Mapping[str, str | None]) -> Version:
    text = groups["v"] or groups.get("w")
    if not text:
        return _NEWEST
    version = _trim(tuple(int(part) for part in re.split("[.-]", text)))
    # gpt-4o came between gpt-4 and gpt-4.1.
    return (*version, 0, 1) if groups.get("o") else version


def _trim(version: Version) -> Version:
    """4.0 is 4."""
    return version[:-1] if len(version) > 1 and version[-1] == 0 else version


def _read_stamp(match: re.Match[str]) -> int:
    if match["latest"]:
        return _LATEST
    return int(match["date"].replace("-", "")) if match["date"] else _PLAIN
