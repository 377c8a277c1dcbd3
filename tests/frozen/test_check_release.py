"""A tag becomes a release only when tag, version, CHANGELOG, keys and repository agree."""

import subprocess
import sys
from pathlib import Path

import pytest

from ..patience import PATIENCE

ROOT = Path(__file__).parents[2]
KEYS = tuple("RW" + letter * 54 for letter in "AB")
CHANGES = "# Changes\n\n## 1.2.3 (2026-12-01)\n\n### Added\n- All of it.\n\n## 1.2.2 (2026-11-01)\n- Less.\n"


def sources(folder, *, version="1.2.3", changes=CHANGES, repository="us/fairlead", keys=KEYS):
    """The files that a tag is checked against."""
    upgrade = folder / "router" / "installation" / "upgrade"
    upgrade.mkdir(parents=True)
    (folder / "packaging").mkdir()
    (folder / "router" / "__init__.py").write_text(f'__version__ = "{version}"\n')
    (folder / "packaging" / "CHANGELOG.md").write_text(changes)
    (upgrade.parent / "project.py").write_text(f'REPOSITORY = "{repository}"\n')
    (upgrade / "release_keys.py").write_text(f"PUBLIC_KEYS: tuple[str, ...] = {keys!r}\n")
    return folder


def check(folder, tag="v1.2.3"):
    command = [sys.executable, str(ROOT / "build" / "check_release.py"), "--tag", tag, "--repository", "us/fairlead"]
    return subprocess.run(
        [*command, "--root", str(folder)], capture_output=True, encoding="utf-8", check=False, timeout=PATIENCE
    )


def test_a_good_tag_gives_its_notes(tmp_path):
    """The entry of CHANGELOG is printed, and no other."""
    done = check(sources(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "### Added\n- All of it.\n"


@pytest.mark.parametrize(
    ("change", "tag", "told"),
    [
        ({}, "v1.2.4", "router/__init__.py says 1.2.3"),
        ({}, "1.2.3", "not of the form"),
        ({}, "v1.2.3-rc1", "not of the form"),
        ({"version": "1.2.4"}, "v1.2.3", "says 1.2.4"),
        ({"changes": "# Changes\n"}, "v1.2.3", "no entry for 1.2.3"),
        ({"changes": "## 1.2.3 (unreleased)\n- x\n"}, "v1.2.3", "dates 1.2.3 as unreleased"),
        ({"changes": "## 1.2.3 (2026-12-01)\n\n## 1.2.2 (2026-11-01)\n- x\n"}, "v1.2.3", "says nothing"),
        ({"changes": "## 1.2.30 (2026-12-01)\n- x\n"}, "v1.2.3", "no entry for 1.2.3"),
        ({"repository": "them/fairlead"}, "v1.2.3", "looked for in them/fairlead"),
        ({"keys": ()}, "v1.2.3", "has 0 different public keys"),
        ({"keys": KEYS[:1]}, "v1.2.3", "has 1 different public keys"),
        ({"keys": (KEYS[0], KEYS[0])}, "v1.2.3", "has 1 different public keys"),
        ({"keys": (KEYS[0], "RWshort")}, "v1.2.3", "has 1 different public keys"),
        ({"keys": (*KEYS, "RW" + "C" * 54)}, "v1.2.3", "has 3 different public keys"),
    ],
)
def test_a_tag_that_does_not_agree_fails(tmp_path, change, tag, told):
    """What is wrong is said, and the exit code is 1."""
    done = check(sources(tmp_path, **change), tag)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_everything_wrong_is_said_at_once(tmp_path):
    """One run tells all that is to be mended."""
    done = check(sources(tmp_path, repository="them/fairlead", keys=()), "v9.9.9")
    assert done.stderr.count("error: ") == 4


def test_missing_keys_are_no_traceback(tmp_path):
    """Sources without the file of keys have none."""
    folder = sources(tmp_path)
    (folder / "router" / "installation" / "upgrade" / "release_keys.py").unlink()
    assert "has 0 different public keys" in check(folder).stderr
