"""What a service lacks of its user's shell."""

import sys

import pytest

from router.backends import Account, Backend
from router.service.variables import list_lost, list_needed, list_privileged, make_path
from router.settings import Secret, Settings

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes")


def backend(name, *keys, enabled=True):
    accounts = tuple(Account(f"a{number}", key) for number, key in enumerate(keys))
    return Backend(name=name, root="https://x", protocols=("chat",), accounts=accounts, enabled=enabled)


def test_keys_in_variables():
    """Each account by its name, with what stores its key elsewhere; disabled backends and other keys need none."""
    backends = [
        backend("groq", "sk-literal", "env:GROQ_KEY", 'cmd:["pass"]', "env:"),
        backend("off", "env:OTHER", enabled=False),
    ]
    found = list_needed(backends, Settings(search_key=Secret("env:BRAVE_KEY")))
    assert [(one.variable, one.owner) for one in found] == [
        ("GROQ_KEY", "account groq/a1"),
        ("BRAVE_KEY", "search.key"),
    ]
    assert found[0].remedy == ("fairlead accounts remove groq a1, then fairlead accounts add groq a1 --key-stdin")
    assert list_needed([backend("groq", "env:X")], Settings())[0].remedy == "fairlead backend set groq --key-stdin"


def test_settings_of_the_shell():
    """Settings and proxies that this shell sets, if the service does not get them otherwise."""
    environ = {"FAIRLEAD_PORT": "4000", "HTTPS_PROXY": "http://p", "no_proxy": "x", "NO_PROXY": "", "EDITOR": "vi"}
    assert list_lost(environ, {"no_proxy"}) == ["FAIRLEAD_PORT", "HTTPS_PROXY"]


@POSIX
def test_path(tmp_path):
    """Folders that are there, absolute, once each, and not for everyone to write to."""
    for name in ("a", "open", "b c"):
        (tmp_path / name).mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "file").touch()
    path = ":".join(["", ".", "rel", *(str(tmp_path / name) for name in ("b c", "a", "open", "file", "none", "a"))])
    assert make_path({"PATH": path}) == f"{tmp_path}/b c:{tmp_path}/a"
    assert make_path({}) == ""


@POSIX
def test_commands_with_rights_of_their_own(tmp_path):
    """As 1Password's, which has a group of its own: hardening would take it away."""
    for name, mode in (("op", 0o2755), ("pass", 0o755), ("su", 0o4755)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    backends = [backend("a", 'cmd:["op", "read"]', 'cmd:["pass"]', f'cmd:["{tmp_path}/su"]', 'cmd:["gone"]', "cmd:x")]
    assert list_privileged(backends, str(tmp_path)) == [f"{tmp_path}/su", "op"]
