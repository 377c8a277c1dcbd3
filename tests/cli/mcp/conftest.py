"""Agents that start the server on a fresh home."""

import contextlib

import pytest

from .hosts import Host


@pytest.fixture
def host(fairlead, tmp_path):
    """Starts servers, with variables of their own."""
    with contextlib.ExitStack() as stack:

        def start(**environ):
            return stack.enter_context(contextlib.closing(Host({**fairlead.environ, **environ}, tmp_path)))

        yield start
