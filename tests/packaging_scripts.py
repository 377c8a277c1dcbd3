"""Loads the scripts of packaging/, which is no package: they import each other as siblings."""

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "packaging"


def load_script(name):
    """packaging/NAME.py as a module, run anew."""
    sys.path.insert(0, str(FOLDER))
    try:
        spec = importlib.util.spec_from_file_location(f"packaging_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(FOLDER))
