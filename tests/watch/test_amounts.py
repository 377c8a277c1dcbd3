"""Numbers as people write them."""

import pytest

from router.policy.budget.prices import REPORTED
from router.watch import amounts


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "$0.00"),
        (3.41, "$3.41"),
        (1234.5, "$1,234.50"),
        (0.9951, "$1.00"),
        (0.05, "$0.05"),
        (0.3, "$0.30"),
        (0.0123, "$0.012"),
        (0.0023, "$0.0023"),
        (0.000000007, "$0.000000007"),
    ],
)
def test_money(dollars, text):
    """Cents, and of small amounts two digits that count."""
    assert amounts.format_money(dollars) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 %"),
        (0.0001, "under 1 %"),
        (0.0099, "under 1 %"),
        (0.01, "1 %"),
        (0.914, "91 %"),
        (0.9951, "over 99 %"),
        (1, "100 %"),
        (1.2, "120 %"),
    ],
)
def test_shares(part, text):
    """Something is never 0 %, and not all of it never 100 %."""
    assert amounts.format_share(part) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "\N{EN DASH}"),
        (4, "4 ms"),
        (900, "0.9 s"),
        (2000, "2 s"),
        (41_200, "41 s"),
        (720_000, "12 min"),
        (18_000_000, "5 h"),
        (259_200_000, "3 days"),
    ],
)
def test_durations(ms, text):
    """A measured time is told in the words of all other times."""
    assert amounts.format_seconds(ms) == text


@pytest.mark.parametrize(
    ("count", "seconds", "text"),
    [
        (117_389, 3600, "1,956/min"),
        (150, 3600, "2.5/min"),
        (120, 3600, "2/min"),
        (46, 3600, "46/h"),
        (5, 3600, "5/h"),
        (5, 86_400, ""),
    ],
)
def test_rates(count, seconds, text):
    """In the unit in which they are a number one can count."""
    assert amounts.format_rate(count, seconds) == text


@pytest.mark.parametrize(
    ("dollars", "source", "text"),
    [
        (None, "", "unpriced"),
        (0.05, "config.toml", "cost $0.05 (prices of config.toml)"),
        (0.05, REPORTED, "cost $0.05 (reported by the provider)"),
    ],
)
def test_costs(dollars, source, text):
    """A cost says where it is from."""
    assert amounts.format_cost(dollars, source) == text


@pytest.mark.parametrize(
    ("part", "encoding", "shown"),
    [
        (0.0, "utf-8", "░░░░░░░░░░"),
        (0.09, "utf-8", "█░░░░░░░░░"),
        (0.82, "utf-8", "████████░░"),
        (1.0, "utf-8", "██████████"),
        (1.7, "utf-8", "██████████"),
        (0.5, "ascii", "#####....."),
        (0.5, "no such encoding", "#####....."),
        (0.5, None, "#####....."),
    ],
)
def test_a_bar_of_a_share(part, encoding, shown):
    """Ten characters, in signs that the reader's encoding has."""
    assert amounts.format_bar(part, encoding=encoding) == shown
