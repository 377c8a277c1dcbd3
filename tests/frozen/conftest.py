"""The scripts of build/, which is no package: its name belongs to tools."""

import importlib
import importlib.util
import sys
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


@pytest.fixture(scope="session")
def script():
    """Any script of build/ as a module, by its name."""
    sys.path.insert(0, str(ROOT / "build"))
    yield importlib.import_module
    sys.path.remove(str(ROOT / "build"))
