"""Names of commands, options, backends and protocols that are not quite right."""

import pytest

from .mistake import Mistake

MISTAKES = {
    "E1": Mistake("misspells a provider", "open-router", "openrouter", "openrouter"),
    "E2": Mistake("tests a backend that does not exist", "no backend", "nope", "Configured: office"),
    "E3": Mistake(
        "gives a name that no backend can have", "cannot be a backend's name", '"../x"', "expected 1 to 64 of"
    ),
    "E4": Mistake("disables the demo as a backend", "built-in demo backend", "demo is", "fairlead config set demo off"),
    "E5": Mistake("takes a vendor for a protocol", '"openai"', "--protocols", "messages"),
    "E6": Mistake("misspells a command", "unknown command", "prxy", "Did you mean:   fairlead proxy"),
    "E7": Mistake("types a command of another program", "unknown command: serve", "serve", "fairlead proxy"),
    "E8": Mistake("asks for JSON where there is none", "has no option", "--json", "See:   fairlead proxy --help"),
}
URL = ("--base-url", "http://127.0.0.1:9", "--protocols", "chat", "--no-key")


def test_e1(fairlead):
    """The provider that was meant is suggested."""
    code, _, err = fairlead("backend", "add", "open-router", "--key-stdin", stdin="sk-x")
    assert code != 0
    MISTAKES["E1"].check(err)


def test_e2(fairlead):
    """The configured backends are listed; one that is merely the only one is not suggested."""
    fairlead("backend", "add", "office", *URL)
    code, _, err = fairlead("backend", "test", "nope")
    assert code == 1
    MISTAKES["E2"].check(err)
    assert "Did you mean" not in err


@pytest.mark.parametrize("name", ["../x", "bücher"])
def test_e3(fairlead, name):
    """The rule of names is told."""
    code, _, err = fairlead("backend", "add", name, *URL)
    assert code == 1
    MISTAKES["E3"]._replace(place=f'"{name}"').check(err)


def test_e4(fairlead):
    """It is a setting, and the command for it works."""
    code, _, err = fairlead("backend", "disable", "demo")
    assert code == 1
    MISTAKES["E4"].check(err)
    assert fairlead("config", "set", "demo", "off").code == 0


def test_e5(fairlead):
    """The protocols are listed."""
    code, _, err = fairlead("backend", "add", "x", "--base-url", "http://127.0.0.1:9", "--protocols", "openai")
    assert code == 2
    MISTAKES["E5"].check(err)


def test_e6(fairlead):
    """The command that was meant is suggested."""
    code, _, err = fairlead("prxy")
    assert code == 2
    MISTAKES["E6"].check(err)


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("serve", "fairlead proxy"),
        ("start", "fairlead proxy"),
        ("reload", "fairlead restart"),
        ("logs", "fairlead why -"),
        ("ping", "fairlead backend test NAME"),
        ("diagnose", "fairlead doctor"),
        ("providers", "fairlead backend add NAME"),
        ("auth", "fairlead login --help"),
        ("install", "fairlead service install"),
        ("configure", "fairlead setup TOOL"),
        ("key", "fairlead keys add NAME"),
    ],
)
def test_e7(fairlead, word, command):
    """The command that does it is named."""
    code, _, err = fairlead(word)
    assert code == 2
    MISTAKES["E7"]._replace(cause=f"unknown command: {word}", place=word, command=command).check(err)


@pytest.mark.parametrize("command", ["proxy", "demo", "stop", "backend add", "config set", "config path"])
def test_e8(fairlead, command):
    """No option is suggested that only looks alike."""
    code, _, err = fairlead(*command.split(), "--json")
    assert code == 2
    assert "Did you mean" not in err
    MISTAKES["E8"]._replace(command=f"See:   fairlead {command} --help").check(err)


def test_e8_without_a_command(fairlead):
    """It is an option of commands."""
    code, _, err = fairlead("--json")
    assert code == 2
    assert err == "error: unknown option: --json\n       It comes after a command:   fairlead usage --json\n"
