"""A home of its own for each test."""

import pytest

from router.store.home.home import open_home


@pytest.fixture
def home(tmp_path):
    """An empty one, opened."""
    return open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
