"""fairlead's own secrets, as settings hold them or name their place."""

import sys

import pytest

from router.errors import CommandError
from router.settings import Secret
from router.store.keys.own_secrets import list_files, read_own_secret

TOKEN = "t" * 32


@pytest.fixture
def private(tmp_path):
    """A private file with the token and a line end."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text(TOKEN + "\n")
    return path


def read(text, **environ):
    found = read_own_secret("metrics.token", Secret(text), environ)
    return found and found.reveal()


def test_it_is_at_hand(private):
    """The setting holds it, or names a variable or a private file; nothing is nothing."""
    assert read(TOKEN) == TOKEN
    assert read("env:TOKEN", TOKEN=TOKEN) == TOKEN
    assert read(f"file:{private}") == TOKEN
    assert read_own_secret("metrics.token", None, {}) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("env:TOKEN", "metrics.token is taken from $TOKEN, which is not set."),
        ("env:SHORT", "metrics.token has fewer than 32 characters."),
        ("short-one", "metrics.token has fewer than 32 characters."),
        ("file:/nowhere/token", "metrics.token: the key file /nowhere/token does not exist."),
        ("keyring:a/b", "metrics.token is a keyring: reference; expected env:VARIABLE, file:PATH or the secret."),
        ('cmd:["pass"]', "metrics.token is a cmd: reference; expected env:VARIABLE, file:PATH or the secret."),
        ("env:LINES", "$LINES, which metrics.token names, has more than one line; expected the key alone."),
    ],
)
def test_what_is_wrong_is_said(text, said):
    """The setting is named, and the secret never shown."""
    with pytest.raises(CommandError) as caught:
        read(text, SHORT="short-one", LINES=f"{TOKEN}\n{TOKEN}")
    assert str(caught.value) == said
    assert "short-one" not in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="modes")
def test_a_file_that_others_read_is_refused(private):
    """As any key file."""
    private.chmod(0o644)
    with pytest.raises(CommandError, match="can be read by others"):
        read(f"file:{private}")


def test_files_are_listed(private):
    """Those that settings name; what is malformed has none."""
    given = (None, Secret(TOKEN), Secret("env:X"), Secret("file:relative"), Secret(f"file:{private}"))
    assert list_files(*given) == [str(private)]
