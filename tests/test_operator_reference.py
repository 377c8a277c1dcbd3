"""The reference of the operator's endpoints tells the same story as the code."""

import importlib.util
import sys
from pathlib import Path

import msgspec

from router.operator_api import accounts, backends, endpoints, explain, guard, history, page, status

SCRIPT = Path(__file__).with_name("operator_reference.py")


def _script():
    spec = importlib.util.spec_from_file_location("operator_reference", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date():
    """It is what `python tests/operator_reference.py` would write."""
    script = _script()
    assert script.Reference().written() == script.PAGE.read_text("utf-8")


def test_every_field_has_its_words():
    """A field of the operator's API that is not described is not finished."""
    script = _script()
    missing = []
    for module in (accounts, backends, explain, guard, history, page, status):
        for one in vars(module).values():
            is_form = isinstance(one, type) and issubclass(one, msgspec.Struct) and one.__module__ == module.__name__
            if is_form and one not in script.DERIVED:
                words = script.descriptions(one)
                own = {name for name in one.__annotations__ if name not in words}
                missing += [f"{one.__name__}.{name}" for name in sorted(own)]
                assert one.__doc__, one
    assert missing == []


def test_every_endpoint_is_on_the_page():
    """With its verb, its path, and what it does."""
    text = _script().PAGE.read_text("utf-8")
    for endpoint in endpoints.ENDPOINTS.all:
        assert f"## {endpoint.verb} {endpoint.path}\n\n{endpoint.about}" in text
