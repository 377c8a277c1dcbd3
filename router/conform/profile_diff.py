"""Compares what probes saw with the profile that fairlead has of a backend."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, cast

import msgspec

from router.backends.profile import Profile
from router.conform.record import Difference, Finding, Member
from router.settings.profile import FLAGS


def find_differences(profile: Profile, findings: Mapping[str, Finding]) -> list[Difference]:
    """The flags whose values do not fit, in the order of the profile. findings: by the ids of their probes; of two that
    contradict each other the later one counts."""
    wanted: dict[str, Any] = {}
    shown: dict[str, list[str]] = {}
    for name, finding in findings.items():
        for flag, value in finding.flags.items():
            wanted[flag] = _apply(wanted.get(flag, getattr(profile, flag)), value)
            shown.setdefault(flag, []).append(name)
    found: list[Difference] = []
    for flag in FLAGS:
        now = getattr(profile, flag)
        if flag in wanted and wanted[flag] != now:
            found.append(
                Difference(flag=flag, now=_to_plain(now), seen=_to_plain(wanted[flag]), probes=tuple(shown[flag]))
            )
    return found


def merge_differences(
    profile: Profile, before: Iterable[Difference], fresh: Iterable[Difference], ran: Collection[str]
) -> list[Difference]:
    """Those of this run, and those of earlier ones whose probes did not run now and that the profile still lacks. ran:
    the ids of the probes that found something out now."""
    found = list(fresh)
    flags = {one.flag for one in found}
    for one in before:
        again = one.flag in flags or any(name in ran for name in one.probes)
        if not again and one.flag in FLAGS and _to_plain(getattr(profile, one.flag)) != one.seen:
            found.append(msgspec.structs.replace(one, now=_to_plain(getattr(profile, one.flag))))
    return sorted(found, key=lambda one: FLAGS.index(one.flag))


def _apply(now: Any, value: object) -> Any:
    """A flag's value after what one probe saw."""
    members = [value] if isinstance(value, Member) else value
    if not isinstance(members, list | tuple) or not all(isinstance(one, Member) for one in cast("list[Any]", members)):
        return value
    kept: list[str] = list(now)
    for one in cast("Iterable[Member]", members):
        if one.held and one.value not in kept:
            kept.append(one.value)
        elif not one.held and one.value in kept:
            kept.remove(one.value)
    return type(now)(kept)


def _to_plain(value: Any) -> Any:
    """A value as config.toml writes it."""
    if isinstance(value, frozenset):
        return sorted(cast("frozenset[str]", value))
    return list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value
