"""Asking for a key."""

import getpass

import pytest

from router.cli.backend.key import ask


def test_interrupt(monkeypatch, capsys):
    """After Ctrl-C at the question the shell's prompt begins on a line of its own."""

    def interrupt(prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr(getpass, "getpass", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ask("Key for groq (not shown): ")
    assert capsys.readouterr().err == "\n"
