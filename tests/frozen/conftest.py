"""The scripts of build/, which is no package: its name belongs to tools."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def building():
    """build/build.py as a module."""
    spec = importlib.util.spec_from_file_location("fairlead_build", ROOT / "build" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
