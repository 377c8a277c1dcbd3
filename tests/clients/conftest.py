"""A scripted model, and a proxy in front of it."""

import threading

import pytest

from ..e2e.processes import Proxy, backend
from .asking_model import Model, ask_why


@pytest.fixture
def model():
    """It asks `why` of fairlead; a test may give it another script."""
    with Model(ask_why) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(tmp_path, model):
    """A proxy with the model; what Codex sends is translated for it."""
    entry = backend(
        "anthropic", model.root, protocols=("messages",), vendor="anthropic", auth="key", key="sk-mock-key-1"
    )
    with Proxy(tmp_path, backends=[entry], settings={"FAIRLEAD_DEMO": "off"}) as running:
        yield running
