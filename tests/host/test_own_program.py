"""A program that was started in the background and is not to serve is ended, and leaves nothing."""

import os
import signal
import sys

import pytest

from router.host import own_program
from router.host.own_program import start_again

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

# Says that it begins, and ends as the test says.
SCRIPT = '#!/bin/sh\nexport PLACE="$1"\n{trap}\necho begun\nwhile :; do sleep 0.05; done\n'


@pytest.fixture
def start(tmp_path):
    """Starts a program with this line in it, once it has begun."""

    def begin(trap):
        path = tmp_path / "program"
        path.write_text(SCRIPT.format(trap=trap))
        path.chmod(0o755)
        (tmp_path / "unpacked").mkdir()
        descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
        try:
            program = start_again([str(path)], [str(tmp_path / "unpacked")], dict(os.environ), log=descriptor)
        finally:
            os.close(descriptor)
        assert "begun" in program.read_report().message
        return program

    return begin


def test_it_may_clean_up(start, tmp_path):
    """It is told to end before it is killed: the loader of the single-file form then removes what it has unpacked."""
    program = start("trap 'rmdir \"$PLACE\"; exit 0' TERM")
    program.kill()
    assert not (tmp_path / "unpacked").exists()
    assert program._process.returncode == 0


def test_what_does_not_end_is_killed(start, monkeypatch):
    """A program that goes on nevertheless is killed."""
    monkeypatch.setattr(own_program, "_END_SECONDS", 0.2)
    program = start("trap '' TERM")
    program.kill()
    assert program._process.returncode == -signal.SIGKILL
