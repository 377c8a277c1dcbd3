"""The tokens of a proxy, its own or its team's."""

import re

import pytest

from router.errors import CommandError
from router.settings import Secret, Settings
from router.store.home.home import OPERATOR_TOKEN, TOKEN, open_home
from router.store.own_tokens import read_operator_token, read_seal_key

SECRET = Secret("s" * 32)
TEAM = Settings(shared_secret=SECRET)
TELLERS = (read_operator_token, read_seal_key)


@pytest.fixture
def homes(tmp_path):
    return [open_home({"FAIRLEAD_HOME": str(tmp_path / name)}) for name in ("one", "two")]


@pytest.mark.parametrize("tell", TELLERS)
def test_each_home_has_its_own(homes, tell):
    """Without a team's secret tokens are random, and stay."""
    tokens = [tell(home, Settings(), {}).reveal() for home in homes]
    assert tokens[0] != tokens[1]
    assert tokens == [tell(home, Settings(), {}).reveal() for home in homes]


@pytest.mark.parametrize("tell", TELLERS)
def test_a_team_has_one(homes, tell):
    """With the secret all homes have the same, which has the form of a token; another secret or team has another."""
    tokens = {tell(home, TEAM, {}).reveal() for home in homes}
    assert len(tokens) == 1
    assert all(re.fullmatch(TOKEN, token.encode()) for token in tokens)
    for other in (Settings(shared_secret=Secret("t" * 32)), Settings(shared_secret=SECRET, shared_team="other")):
        assert tell(homes[0], other, {}).reveal() not in tokens


def test_the_two_differ(homes):
    """Who has one cannot use it as the other."""
    assert read_operator_token(homes[0], TEAM, {}).reveal() != read_seal_key(homes[0], TEAM, {}).reveal()


def test_commands_find_the_operator_s(homes):
    """It is in the home's file; a home that leaves its team makes a new one, since the team knows the old one."""
    token = read_operator_token(homes[0], TEAM, {})
    assert homes[0].token(OPERATOR_TOKEN).reveal() == token.reveal()
    alone = read_operator_token(homes[0], Settings(), {})
    assert alone.reveal() != token.reveal()
    assert read_operator_token(homes[0], Settings(), {}).reveal() == alone.reveal()


def test_a_secret_by_reference(homes):
    """It may be in a variable; one that is not set is named."""
    settings = Settings(shared_secret=Secret("env:TEAM_SECRET"))
    found = read_seal_key(homes[0], settings, {"TEAM_SECRET": SECRET.reveal()})
    assert found.reveal() == read_seal_key(homes[1], TEAM, {}).reveal()
    with pytest.raises(CommandError, match=r"shared\.secret: .TEAM_SECRET is not set"):
        read_seal_key(homes[0], settings, {})
