"""How old a card is, and of which build of a model."""

import pytest

from router.conform.age import compute_age, compute_fingerprint, format_age, is_old
from router.conform.record import Card

NOW = 1_800_000_000.0
DAY = 86400


def make(date):
    """A card of that date."""
    return Card(fairlead="0", date=date, backend="b", root="r", model="m")


def test_a_card_is_old_after_thirty_days():
    """And not before."""
    card = make("2026-12-16T08:00:00Z")
    assert compute_age(card, NOW) == 30 * DAY
    assert not is_old(card, NOW)
    assert is_old(card, NOW + 1)
    assert format_age(card, NOW) == "30 days old"


@pytest.mark.parametrize("date", ["", "soon", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00"])
def test_a_date_that_says_nothing(date):
    """A date that cannot be read, or is to come, makes no card old by mistake."""
    assert compute_age(make(date), NOW) >= 0


def test_the_fingerprint_is_of_the_build():
    """It changes with the build and with nothing else; an entry of a name alone says nothing."""
    entry = {"id": "m", "created": 1, "price": 3}
    assert compute_fingerprint(entry) == compute_fingerprint({"created": 1, "id": "m", "price": 4})
    assert compute_fingerprint(entry) != compute_fingerprint({**entry, "created": 2})
    assert compute_fingerprint({"id": "m"}) == compute_fingerprint(None) == ""
