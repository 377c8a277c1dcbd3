"""fairlead's own secrets are no backend's key."""

import os

import pytest

from router.settings import Secret, Settings
from router.store.home.home import Home
from router.store.keys.own_keys import OwnKeyRefused, OwnKeys, read_own_keys

CLIENT, OPERATOR = f"fl-{'c' * 43}", f"fl-{'o' * 43}"
OWN = OwnKeys((("fairlead's own client key", Secret(CLIENT)), ("fairlead's operator token", Secret(OPERATOR))))


@pytest.mark.parametrize(
    ("key", "where", "said"),
    [
        (CLIENT, "the stored key", "the stored key is fairlead's own client key."),
        (CLIENT, "$MY_KEY", "$MY_KEY holds fairlead's own client key."),
        (
            CLIENT,
            "$ANTHROPIC_API_KEY",
            "$ANTHROPIC_API_KEY holds fairlead's own client key: it was overwritten by `fairlead env`.",
        ),
        (OPERATOR, "$MY_KEY", "$MY_KEY holds fairlead's operator token."),
        ("fairlead", "$OPENAI_API_KEY", "placeholder for a key: it was overwritten by `fairlead env`."),
        ("fairlead", "the stored key", "the stored key is fairlead's own placeholder for a key."),
        (f"fl-{'x' * 43}", "$OPENAI_API_KEY", "a client key of fairlead: it was overwritten by `fairlead env`."),
    ],
)
def test_refused(key, where, said):
    """Each of them is refused; the message says where it was found and how it came there, and does not show it."""
    with pytest.raises(OwnKeyRefused) as refused:
        OWN.check(Secret(key), where)
    assert said in str(refused.value)
    assert key == "fairlead" or key not in str(refused.value)


@pytest.mark.parametrize("key", ["sk-1", f"fl-{'x' * 43}", "fairlead-2", CLIENT[:-1], CLIENT + "c"])
def test_others_pass(key):
    """A key of another fairlead, which may be this one's backend, is its backend's key."""
    assert OWN.check(Secret(key), "$OFFICE_KEY").reveal() == key


def test_read(tmp_path):
    """They come from the home and the settings; nothing is made, and who else can read a file does not matter."""
    home = Home(tmp_path)
    assert read_own_keys(home, None).secrets == ()
    (tmp_path / "client.key").write_text(CLIENT + "\n")
    os.chmod(tmp_path / "client.key", 0o644)
    (tmp_path / "operator.token").write_text(OPERATOR)
    found = read_own_keys(home, Settings(api_key=Secret("set-by-the-user")))
    for key in (CLIENT, OPERATOR, "set-by-the-user"):
        with pytest.raises(OwnKeyRefused):
            found.check(Secret(key), "the stored key")
