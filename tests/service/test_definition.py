"""The mark by which fairlead knows what it has written."""

import pytest

from router.service.agent import make_agent
from router.service.definition import Wanted, judge, make_mark
from router.service.unit import make_unit

UNIT = make_unit(Wanted(("/usr/bin/fairlead",)), documentation="https://x.example")


def test_unchanged():
    """What was written is current."""
    assert judge(UNIT) == "current"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("RestartSec=2", "RestartSec=3"),
        lambda text: text + "\n",
        lambda text: "# mine\n" + text,
        lambda text: text.replace("KillMode=mixed\n", ""),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + text.splitlines(keepends=True)[-1],
    ],
)
def test_changed(change):
    """Any other line, and a second mark, make it an edited one."""
    assert judge(change(UNIT)) == "edited"


@pytest.mark.parametrize("text", ["", "[Unit]\n", "# fairlead service unit 1, sha256 abc\n", "\0" * 10])
def test_foreign(text):
    """Without a mark it is another's."""
    assert judge(text) == "foreign"


def test_older():
    """A form with another number that is unchanged is written anew without asking for --force."""
    text = "[Unit]\n"
    assert judge(f"{text}# {make_mark('service unit', text).replace(' 1, ', ' 0, ')}\n") == "older"


def test_the_mark_may_stand_anywhere(tmp_path):
    """That of an agent is near its beginning."""
    text = make_agent(Wanted(("/usr/bin/fairlead",), log=tmp_path / "log"))
    assert judge(text) == "current"
    assert judge(text.replace("<integer>15</integer>", "<integer>16</integer>")) == "edited"
