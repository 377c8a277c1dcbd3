"""A cloud on loopback, and a user without credentials of any."""

import os
import time

import pytest
import trio

from router.errors import CommandError
from router.store.keys.references import parse
from router.upstream.keys.sources import Sources

from . import cloud as clouds


@pytest.fixture
def cloud():
    """The token endpoints of Google and Azure."""
    with clouds.running() as server:
        yield server


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The folder of a user who has no files of a cloud."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


@pytest.fixture
def fetch(user):
    """Fetches the key of a reference, with these variables and a clock that is off by so many seconds."""

    def fetch(text, *, off=0.0, **environ):
        sources = Sources({"PATH": os.environ["PATH"], **environ}, now=lambda: time.time() + off)
        return trio.run(sources.fetch, parse(text))

    return fetch


@pytest.fixture
def fails(fetch):
    """The error for a reference whose key cannot be had: its text and hint in one."""

    def fails(text, **options):
        with pytest.raises(CommandError) as caught:
            fetch(text, **options)
        return f"{caught.value}\n{caught.value.hint}"

    return fails
