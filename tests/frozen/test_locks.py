"""The lock files pin what pyproject.toml asks for, with hashes, for every system."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = {
    "runtime": [],
    "test": PROJECT["optional-dependencies"]["test"],
    "lint": PROJECT["optional-dependencies"]["lint"],
    "build": PROJECT["optional-dependencies"]["build"],
}


def pinned(name):
    """Package -> (version, hashes) of a lock file."""
    text = (ROOT / "build" / "locks" / f"{name}.txt").read_text("utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([a-z0-9-]+)==(\S+)(?: ;.*?)?((?: +--hash=sha256:[0-9a-f]{64})+)", line.strip())
        assert match, f"{name}: {line[:80]}"
        found[match[1]] = (match[2], match[3].split())
    return found


@pytest.mark.parametrize("name", EXTRAS)
def test_every_dependency_is_pinned_within_its_bound(name):
    """Each entry has its version and hashes and no address; each dependency of the project is there."""
    found = pinned(name)
    for text in [*PROJECT["dependencies"], *EXTRAS[name]]:
        needed = Requirement(text)
        locked = canonicalize_name(needed.name)
        assert locked in found, f"{text}: write the lock files anew (build/lock.py)"
        assert needed.specifier.contains(found[locked][0])


def test_a_release_is_built_by_a_locked_uv():
    """Its lock holds uv within its bound, and nothing else."""
    [needed] = map(Requirement, PROJECT["optional-dependencies"]["lock"])
    found = pinned("lock")
    assert list(found) == [needed.name]
    assert needed.specifier.contains(found[needed.name][0])


def test_hashes_are_for_all_systems():
    """A compiled package has a hash for each of its wheels, not only for the system that the lock was made on."""
    assert len(pinned("runtime")["msgspec"][1]) > 20
