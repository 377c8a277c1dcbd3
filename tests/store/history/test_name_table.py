"""Names in the history: each stored once, harmless to show, and gone when nothing uses it."""

from contextlib import closing

from router.store.database.open import open_history
from router.store.history.name_table import NameTable
from router.store.history.storage import clean


def test_half_a_code_point():
    """It is written as an escape; so is what would move a terminal's cursor."""
    assert clean("a\ud800b\x1b[2J") == "a\\ud800b\\x1b[2J"
    assert len(clean("\x00" * 5000)) == 256


def test_unused_names_go(home):
    """Once their rows are gone, names make room for others."""
    db, _ = open_history(home)
    with closing(db):
        names = NameTable(limit=4)
        names.begin(db)
        assert [names.number(text, chosen=True) for text in "abcdef"] == [1, 2, 3, 4, 5, 5]
        names.forget_unused(db)
        names.begin(db)
        assert db.execute("SELECT count(*) FROM names").fetchone() == (0,)
        assert names.number("g", chosen=True) == 1
