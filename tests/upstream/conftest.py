"""A command that prints a key, as accounts name one."""

import pytest


@pytest.fixture
def command(tmp_path):
    """A reference to a command that prints the content of the file `printed`, and fails without it."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/printed\n")
    program.chmod(0o700)
    return f'cmd:["{program}"]', tmp_path / "printed"
