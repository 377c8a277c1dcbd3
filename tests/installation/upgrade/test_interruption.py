"""A killed upgrade leaves the old version or the new one, whole; two at once do not mix."""

import fcntl
import shutil
import sys

import pytest

from router.installation.upgrade.versions import LOCK

from .conftest import NEW, OLD, script

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")

STEPS = [
    *("versions.clean_parts", "steps.check_space", "steps.fetch", "steps.open_archive", "steps.describe", "check"),
    *("steps.keep_current", "versions.place_version", "versions.point_current", "versions.clean"),
]


@pytest.mark.parametrize("step", STEPS)
def test_killed_after_any_step(installed, server, step):
    """What is installed runs, and the next upgrade ends well; what was left is deleted."""
    server.publish()
    process = installed.start(step=step)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == -9, said
    switched = step in ("versions.point_current", "versions.clean")
    assert installed.current == (NEW if switched else OLD)
    (installed.prefix / ".current-999999999").symlink_to("versions/none")
    assert installed.run()[0] == 0
    assert installed.current == NEW
    assert installed.run("--rollback")[0] == 0
    assert (installed.current, installed.left) == (OLD, [OLD, NEW])
    assert not [*installed.prefix.glob(".current*")]


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["--rollback"]])
def test_killed_before_any_change_of_a_file(installed, server, words):
    """As above, at every instant at which what a killed process leaves differs."""
    server.publish()
    before, after = (NEW, OLD) if words else (OLD, NEW)
    for change in range(1, 200):
        if words:
            assert installed.run()[0] == 0
        process = installed.start(*words, change=change)
        said, _ = process.communicate(timeout=60)
        assert installed.current in (before, after), (change, said)
        if process.returncode != -9:
            break
        assert installed.run()[0] == 0, change
        assert installed.current == NEW
        assert installed.run("--rollback")[0] == 0, change
        assert (installed.current, installed.left) == (OLD, [OLD, NEW]), change
        shutil.rmtree(installed.prefix / "versions" / NEW)
    assert (process.returncode, installed.current) == (0, after), said


@pytest.mark.parametrize(
    "step", ["steps.fetch", "check", "steps.keep_current", "versions.place_version", "steps.switch"]
)
def test_killed_with_one_file(installed, server, step):
    """The program is the old one or the new one."""
    path = installed.folder / "bin" / "fairlead"
    path.parent.mkdir()
    installed.write_program(path, script(OLD))
    installed.use(path, "file")
    server.publish()
    process = installed.start(step=step)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == -9, said
    assert path.read_bytes() == script(NEW if step == "steps.switch" else OLD)
    path.with_name(".fairlead-999999999").touch()
    assert installed.run()[0] == 0
    assert path.read_bytes() == script(NEW)
    assert [one.name for one in path.parent.iterdir()] == ["fairlead"]


def test_two_at_once(installed, server):
    """The second is refused at once; the first goes on."""
    server.publish()
    with (installed.prefix / LOCK).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for words in ([], ["--rollback"]):
            code, _, err = installed.run(*words)
            assert (code, "another upgrade" in err, installed.current) == (1, True, OLD)
    assert installed.run()[0] == 0
    assert installed.current == NEW
