"""The options of the cache of answers, on a rule and on a model."""

import pytest

from router.errors import CommandError
from router.settings import load
from router.settings.keys import find_key
from router.store.config import toml


def settings_of(text):
    return load({}, {}, toml.parse(text, "~/.fairlead/config.toml"))


RULE = '[[routes]]\nname = "evals"\nwhen.model = "*"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('cache = { ttl = "1h", max = "64MiB" }', (3600.0, 64, None)),
        ("cache = { ttl = 90, max = 2, tools = true }", (90.0, 2, True)),
        ('cache.max = "1GB"', (None, 1024, None)),
        ('[routes.cache]\ntools = "off"', (None, None, False)),
    ],
)
def test_each_form(text, expected):
    """As a table, dotted, and under a head; a rule may do nothing else."""
    [rule] = settings_of(RULE + text).routes
    assert (rule.cache_ttl, rule.cache_max, rule.cache_tools) == expected
    assert rule.caches
    [model] = settings_of('[models."m-1"]\n' + text.replace("routes", 'models."m-1"')).models.values()
    assert (model.cache_ttl, model.cache_max, model.cache_tools) == expected


def test_off_unless_given():
    """Neither a rule nor a model has its answers kept by default."""
    settings = settings_of(RULE + 'backend = "box"\n[models.m]\nwindow = 1000\n')
    assert not settings.routes[0].caches
    assert not settings.models["m"].caches


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cache = true", "cache is true; expected a table with keys such as ttl"),
        ('cache = { ttl = "a day" }', 'cache.ttl is "a day"; expected a number with a unit'),
        ('cache = { max = "0" }', 'cache.max is "0"; expected a size from 1MiB'),
        ("cache = { max = 1.5 }", "cache.max is 1.5; expected a size from 1MiB"),
        ("cache = { tools = 2 }", "cache.tools is 2; expected on or off"),
    ],
)
def test_what_is_wrong(text, said):
    """The error names the key and what was expected."""
    with pytest.raises(CommandError) as failure:
        settings_of(RULE + text)
    assert said in str(failure.value)


def test_set_by_a_command():
    """`config set` finds the keys behind a model's name, which may hold dots."""
    key = find_key("models.gpt-4.1.cache.ttl")
    assert (key.path, key.read("10m")) == (("models", "gpt-4.1", "cache", "ttl"), "10m")
    assert find_key("models.m.cache.max").read("64MiB") == "64MiB"
    assert find_key("models.m.cache.window").path == ("models", "m.cache", "window")
    with pytest.raises(CommandError, match="unknown setting"):
        find_key("models.cache.ttl")
