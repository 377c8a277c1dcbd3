"""A demo on a port of its own, and the backend `box` that points at it."""

import pytest

from ...demo.conftest import Running

KEY = "sk-very-secret-key-0123456789"


@pytest.fixture(scope="module")
def served():
    """The demo, on a port of its own."""
    running = Running()
    running.start()
    yield f"{running.url}/v1"
    running.stop()


@pytest.fixture
def add(fairlead):
    """Adds the backend `box`."""

    def add_backend(root, protocols="messages,chat,responses"):
        words = ("--base-url", root, "--protocols", protocols, "--key-stdin")
        done = fairlead("backend", "add", "box", *words, stdin=KEY)
        assert fairlead.backend("box"), done.err

    return add_backend
