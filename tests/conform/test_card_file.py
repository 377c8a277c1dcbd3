"""Cards in the home."""

import sys

import pytest

from router.conform.card_file import check_current, list_cards, merge_rows, name_card, read_card, write_card
from router.conform.record import Card, Row
from router.store.home.home import open_home


@pytest.fixture
def home(tmp_path):
    return open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})


def make(model="m", **fields):
    """A card of the backend `box`."""
    given = {"fairlead": "0", "date": "2026-11-01T00:00:00Z", "backend": "box", "root": "http://x/v1", "model": model}
    return Card(**{**given, **fields})


def row(name, verdict, evidence=""):
    """One row."""
    return Row(id=name, verdict=verdict, evidence=evidence)


@pytest.mark.parametrize("model", ["m", "org/m:free", "../../etc/passwd", "x" * 256, "Ж m", "CON", ".."])
def test_a_card_is_found_again(home, model):
    """Whatever a model is called, its card is one file within the folder of cards, which only the user can read."""
    card = make(model, probes=(row("a.b", "yes"),))
    path = home.at(write_card(home, card))
    assert path.parent == home.at("cards")
    assert len(path.name) < 255
    assert read_card(home, "box", model) == card
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


def test_cards_of_other_backends_are_others(home):
    """The list has those of one backend alone."""
    for card in (make("a"), make("b"), make("c", backend="other")):
        write_card(home, card)
    assert [card.model for card in list_cards(home, "box")] == ["a", "b"]
    assert read_card(home, "box", "c") is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"schema": 2}', b"\xff"])
def test_what_is_no_card_is_none(home, data):
    """A file that was damaged, or is of a later form, is taken for no card."""
    write_card(home, make())
    home.write(name_card("box", "m"), data)
    assert read_card(home, "box", "m") is None
    assert list_cards(home, "box") == []


def test_a_run_of_some_probes_keeps_the_others():
    """A new verdict replaces an old one, but for one that cannot tell; probes that are gone are left out."""
    before = make(probes=(row("a.a", "yes"), row("a.b", "no"), row("a.c", "unknown"), row("gone.x", "yes")))
    fresh = [row("a.b", "unknown", "budget"), row("a.a", "no"), row("a.c", "unknown", "new"), row("a.d", "yes")]
    found = merge_rows(before, fresh, ("a.a", "a.b", "a.c", "a.d"))
    assert [(one.id, one.verdict, one.evidence) for one in found] == [
        ("a.a", "no", ""),
        ("a.b", "no", ""),
        ("a.c", "unknown", "new"),
        ("a.d", "yes", ""),
    ]


@pytest.mark.parametrize(
    ("root", "fingerprint", "counts"),
    [
        ("http://x/v1", "a", True),
        ("http://x/v1", "", True),
        ("http://x/v1", "b", False),
        ("http://y/v1", "a", False),
    ],
)
def test_what_is_of_another_backend_does_not_count(root, fingerprint, counts):
    """A backend that moved, or has another build of the model, begins a new card."""
    card = make(fingerprint="a")
    assert check_current(card, root, fingerprint) == (card if counts else None)
    assert check_current(None, root, fingerprint) is None
