"""Runtimes for plays."""

import pytest

from .worlds import box, in_order


@pytest.fixture
def three(made):
    """A backend with three accounts, asked in their order."""
    return made(box("box", "a0", "a1", "a2"), settings=in_order())


@pytest.fixture
def chain(made):
    """Three backends of one account each, along a chain."""
    settings = in_order(fallback={"*": ("second:n", "third:o")})
    return made(box("box", "a"), box("second", "b"), box("third", "c"), settings=settings)


@pytest.fixture
def one(made):
    """A backend with one account, which speaks all protocols."""
    return made(box("box", "a0", protocols=("chat", "messages", "responses")), settings=in_order())
