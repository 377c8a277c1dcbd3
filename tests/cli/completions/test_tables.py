"""The tables of completion tell what the parsers take."""

import subprocess
import sys
from pathlib import Path

import pytest

from router.cli import COMMANDS
from router.cli.completions import kinds
from router.cli.completions.tables import commands, settings
from router.settings import DECLARATIONS

from ...packaging_scripts import load_script

ROOT = Path(__file__).parents[3]


def list_kinds():
    """Every kind that a table names."""
    for command in commands.COMMANDS.values():
        yield from command.arguments
        yield from (option.kind for option in command.options)
    for table in settings.TABLES.values():
        yield from (table.names, table.values)
    for rows in (settings.DECLARED, settings.OF_BACKEND, settings.OF_PRICE):
        yield from (row.kind for row in rows.values())


@pytest.mark.skipif(sys.platform == "win32", reason="a default there is another")
def test_tables_are_up_to_date():
    """They are what `python packaging/words.py` would write."""
    words = load_script("words")
    for name, text in words.build_tables().items():
        assert (words.FOLDER / name).read_text("utf-8") == text, f"run: python packaging/words.py ({name})"


def test_every_command_is_there():
    """No command or setting is left out, and none is made up."""
    assert {name.partition(" ")[0] for name in commands.COMMANDS} == {*COMMANDS}
    assert {*settings.DECLARED} == {entry.key for entry in DECLARATIONS}


def test_every_kind_is_known():
    """A kind that a table names has a function that lists its values."""
    named = {kind for kind in list_kinds() if isinstance(kind, str) and kind}
    assert named - {*kinds._KINDS} == {"file"}


def test_options_are_taken_by_their_command():
    """A sample from the other side: each option of the table is in the command's own help."""
    for name in ("backend add", "usage", "config import"):
        run = subprocess.run(
            [sys.executable, "-m", "router", *name.split(), "--help"], capture_output=True, text=True, check=False
        )
        for option in commands.COMMANDS[name].options:
            assert all(spelling in run.stdout for spelling in option.names), (name, option)
