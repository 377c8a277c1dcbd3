"""Runs `fairlead subagent` in this process, on a home with a folder for each host."""

import pytest

from ..setup.conftest import InProcess

FOLDERS = (".claude", ".codex", ".config/opencode")


@pytest.fixture
def fairlead(tmp_path, monkeypatch, capsys):
    """Runs fairlead commands on a fresh home."""
    command = InProcess(tmp_path, monkeypatch, capsys)
    for folder in FOLDERS:
        (tmp_path / folder).mkdir(parents=True)
    yield command
    command.close()
