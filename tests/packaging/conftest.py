"""A release host on loopback, and a user who installs from it."""

from pathlib import Path

import pytest

from .fake_release import ReleaseHost, make_release, serve
from .installs import User


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path):
    """A host whose newest release is 0.3.0."""
    make_release(tmp_path / "0.3.0", "0.3.0")
    with serve() as host:
        host.publish("0.3.0", tmp_path / "0.3.0")
        yield host


@pytest.fixture(name="user")
def fixture_user(tmp_path: Path, host: ReleaseHost) -> User:
    return User(tmp_path, host)
