"""A change of a setting from the screen: by the rules of `config set`, shown before it is made, without secrets."""

import pytest

from router.cli.tui import config_change
from router.errors import CommandError
from router.store.config import toml

from .pictures import make_home


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path)


def write(home, text):
    home.write(toml.NAME, text.encode())


def texts(plan):
    return [line.text for line in plan.diff]


def test_a_change_is_shown_and_made(home):
    """The diff has the value before and after; what else stands in the file stays."""
    write(home, '# mine\n[timeouts]\nidle = "100s"\n')
    plan = config_change.plan(home, "timeouts.idle", "2m")
    assert texts(plan) == ['- timeouts.idle = "100s"', '+ timeouts.idle = "2m"']
    assert home.read(toml.NAME).decode() == '# mine\n[timeouts]\nidle = "100s"\n'
    assert config_change.save(home, plan) == ["Saved timeouts.idle."]
    assert home.read(toml.NAME).decode() == '# mine\n[timeouts]\nidle = "2m"\n'


def test_a_setting_is_taken_out(home):
    """Its line goes."""
    write(home, "port = 4000\n")
    plan = config_change.plan(home, "port", None)
    assert texts(plan) == ["- port = 4000"]
    config_change.save(home, plan)
    assert home.read(toml.NAME) == b""


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("timeouts.idle", "soon", "expected"),
        ("bogus", "1", "bogus"),
        ("default_backend", "openrouter", "openrouter"),
        ("port", "4000", "is so already"),
        ("timeouts.idle", None, "is not set in config.toml"),
        ("api_key", "0123456789", "where it would be seen"),
    ],
)
def test_what_config_set_refuses_is_refused(home, key, value, said):
    """Nothing is saved, and why is said."""
    write(home, "port = 4000\n")
    with pytest.raises(CommandError, match=said):
        config_change.plan(home, key, value)
    assert home.read(toml.NAME) == b"port = 4000\n"


def test_a_secret_is_not_shown(home):
    """Neither when it is taken out nor when its neighbour changes in the same line."""
    write(home, 'api_key = "hidden-hidden-hidden"\n[backends]\ng = {max_tokens = 5, set_headers = {X-Auth = "hid"}}\n')
    plan = config_change.plan(home, "api_key", None)
    assert texts(plan)[0] == '- api_key = "set"'
    plan = config_change.plan(home, "backends.g.max_tokens", "6")
    assert texts(plan)[:2] == ["- backends.g.max_tokens = 5", "+ backends.g.max_tokens = 6"]
    assert "hid" not in "".join(texts(plan)).replace("hidden", "hid").replace("X-Auth", "")


def test_a_file_that_changed_meanwhile_is_not_overwritten(home):
    """What was shown is no longer what would happen."""
    write(home, "port = 4000\n")
    plan = config_change.plan(home, "port", "5000")
    write(home, "port = 4001\n")
    with pytest.raises(CommandError, match="changed meanwhile"):
        config_change.save(home, plan)
    assert home.read(toml.NAME) == b"port = 4001\n"


def test_a_running_proxy_takes_it(fairlead, home):
    """It says that it uses the change; what it takes at its start only is said, with what restarts it."""
    fairlead.start("proxy", "--port", "0")
    said = config_change.save(home, config_change.plan(home, "timeouts.idle", "2m"))
    assert any("uses it now" in line for line in said), said
    said = config_change.save(home, config_change.plan(home, "port", "4000"))
    assert any("keeps its port. Restart it" in line for line in said), said
