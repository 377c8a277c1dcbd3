"""`fairlead cache`: what is kept, and away with it, with no proxy running."""

import json
import time

import pytest

from router.store.answer_cache.answers import About, Answers
from router.store.home.home import open_home

ABOUT = About("application/json", "box", "main")


@pytest.fixture
def filled(fairlead):
    """The command, in a home with three answers of a model and a rule."""
    answers = Answers(open_home({"FAIRLEAD_HOME": str(fairlead.home)}), print, clock=time.time)
    for number, (part, cost) in enumerate((("model m", 1_500_000), ("model m", None), ('rule "evals"', 0))):
        assert answers.keep(b"%d" % number, part, ABOUT, b"answer", cost, ttl=60, most=1 << 20)
    for _ in range(3):
        answers.find(b"0", 60)
    answers.close()
    return fairlead


def test_show(filled):
    """By rule and model: how many, how large, how often given again, and what that saved."""
    filled("config", "set", "models.m.cache.ttl", "1m")
    code, out, _ = filled("cache", "show")
    assert code == 0
    head, first, second, *rest = [line.split("   ") for line in out.splitlines()]
    assert [cell.strip() for cell in head if cell.strip()] == ["answers of", "kept", "size", "given again", "saved"]
    assert [cell.strip() for cell in first if cell.strip()] == ["model m", "2", "0.7 kB", "3", "$0.0045"]
    assert first[0] == "model m"
    assert second[0].strip() == 'rule "evals"'
    assert second[-1].strip() == "switched off"
    assert "answer_cache.db, readable only by you" in "".join(rest[-1])


def test_show_as_json(filled):
    """The same for programs."""
    code, out, _ = filled("cache", "show", "--json")
    found = json.loads(out)
    assert (code, found["schema"], found["on"]) == (0, 1, False)
    assert [(part["name"], part["answers"], part["hits"]) for part in found["parts"]] == [
        ("model m", 2, 3),
        ('rule "evals"', 1, 0),
    ]
    assert found["parts"][0]["saved_usd"] == pytest.approx(0.0045)


def test_clear(filled):
    """All answers go, and that is said; again there is nothing."""
    assert filled("cache", "clear")[:2] == (0, "Deleted 3 answers.\n")
    assert filled("cache", "clear")[:2] == (0, "No answers are kept.\n")
    assert json.loads(filled("cache", "clear", "--json")[1]) == {"cleared": 0}
    assert json.loads(filled("cache", "show", "--json")[1])["parts"] == []


def test_history_clear(filled):
    """What erases everything erases these too."""
    assert filled("history", "clear", "--yes")[0] == 0
    assert json.loads(filled("cache", "show", "--json")[1])["parts"] == []


def test_nothing_there(fairlead):
    """Neither a file nor a setting: the command says how to switch it on, and makes no file."""
    code, out, _ = fairlead("cache", "show")
    assert code == 0
    assert "No answers are kept." in out
    assert "fairlead config set models.MODEL.cache.ttl 1h" in out
    assert not [*fairlead.home.glob("answer_cache*")]


def test_switched_on_and_empty(fairlead):
    """A model that has its answers kept is shown before the first of them."""
    fairlead("config", "set", "models.m.cache.ttl", "1m")
    assert fairlead("cache", "show")[1].splitlines()[1].split()[:3] == ["model", "m", "0"]


def test_a_damaged_file(fairlead):
    """It is named, with the command that begins a new one."""
    fairlead("cache", "show")
    path = fairlead.home / "answer_cache.db"
    path.write_bytes(b"damaged" * 500)
    path.chmod(0o600)
    code, _, said = fairlead("cache", "show")
    assert code == 1
    assert "answer_cache.db is damaged" in said
    assert "fairlead cache clear" in said
    assert fairlead("cache", "clear")[0] == 0
    assert fairlead("cache", "show")[0] == 0
    assert path.with_name("answer_cache.db.aside-1").exists()


@pytest.mark.parametrize(("line", "code"), [("cache", 2), ("cache --help", 0), ("cache clean", 2), ("cache show x", 2)])
def test_usage(fairlead, line, code):
    """The exit codes of a group of commands."""
    assert fairlead(*line.split())[0] == code
