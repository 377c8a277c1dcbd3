"""Runs `fairlead setup` in this process: most of what it does is in files, and a process would cost more than that."""

import os

import pytest

from router.cli import main

from ..conftest import Command, Done


class InProcess(Command):
    """As Command, for commands that need neither a terminal nor input."""

    def __init__(self, folder, monkeypatch, capsys):
        super().__init__(folder)
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments, stdin="", **environ):
        if stdin:
            return super().__call__(*arguments, stdin=stdin, **environ)
        self._capsys.readouterr()
        with self._monkeypatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in {**self.environ, **environ}.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            code = main([*arguments])
        return Done(code, *self._capsys.readouterr())


@pytest.fixture
def fairlead(tmp_path, monkeypatch, capsys):
    """Runs fairlead commands on a fresh home."""
    command = InProcess(tmp_path, monkeypatch, capsys)
    yield command
    command.close()
