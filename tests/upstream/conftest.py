"""Commands that print a key, as accounts name one."""

import pytest

from router.store.keys.references import to_command

CANARY = "sk-canary-0123456789abcdef"


@pytest.fixture
def command(tmp_path):
    """A reference to a command that prints the content of the file `printed`, and fails without it."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/printed\n")
    program.chmod(0o700)
    return f'cmd:["{program}"]', tmp_path / "printed"


@pytest.fixture
def program(tmp_path):
    """Writes a program that notes each of its runs; gives the reference to it, and the count of runs."""

    def write(body):
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\necho run >>{tmp_path}/runs\n{body}\n")
        path.chmod(0o700)
        return to_command(str(path))

    def runs():
        noted = tmp_path / "runs"
        return len(noted.read_text().splitlines()) if noted.exists() else 0

    write.runs = runs
    return write
