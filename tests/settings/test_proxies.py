"""The address of an upstream proxy: what is read, what is shown, and where a login may stand."""

import pytest

from router.errors import CommandError
from router.settings import ConfigFile, ProxyAddress, Secret, format_value, load
from router.settings.keys import find_key, redact
from router.settings.proxies import OFF, parse_proxy_address

ADDRESSES = {
    "http://proxy.example:3128": ProxyAddress("http", "proxy.example", 3128),
    "proxy.example:3128": ProxyAddress("http", "proxy.example", 3128),
    "http://proxy.example": ProxyAddress("http", "proxy.example", 80),
    "https://Proxy.Example/": ProxyAddress("https", "proxy.example", 443),
    "socks5://127.0.0.1": ProxyAddress("socks5", "127.0.0.1", 1080),
    "socks5h://[::1]:9050": ProxyAddress("socks5h", "::1", 9050),
    "http://me:a%40b%3Ac@proxy:8080": ProxyAddress("http", "proxy", 8080, "me", Secret("a@b:c")),
    "http://me@proxy:8080": ProxyAddress("http", "proxy", 8080, "me", Secret("")),
    "OFF": OFF,
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_read(text):
    """With or without scheme, port and login, whose parts are percent-decoded."""
    assert parse_proxy_address(text) == ADDRESSES[text]


@pytest.mark.parametrize("text", ["http://:p@a:1", "http://u%00:p@a", "http://" + "u" * 256 + ":p@a", "http://u:p@"])
def test_a_bad_login_is_refused_and_not_shown(text):
    """Control characters, a password alone, and what SOCKS5 has no room for."""
    with pytest.raises(CommandError) as caught:
        load({"FAIRLEAD_UPSTREAM_PROXY": text}, {})
    assert "$FAIRLEAD_UPSTREAM_PROXY is set; expected off, or a URL" in str(caught.value)
    file = ConfigFile("config.toml", {"upstream_proxy": text}, {("upstream_proxy",): 3})
    with pytest.raises(CommandError, match="line 3: upstream_proxy is set; expected off"):
        load({}, {}, file)
    with pytest.raises(CommandError, match="upstream_proxy is set; expected"):
        find_key("upstream_proxy").read(text)


def test_a_login_is_shown_nowhere():
    """Not in the value's text or repr, not where the file's content is listed."""
    address = load({"FAIRLEAD_UPSTREAM_PROXY": "http://me:hunter2@proxy:8080"}, {}).upstream_proxy
    for shown in (str(address), repr(address), format_value(address)):
        assert "hunter2" not in shown
        assert "me:" not in shown
    assert str(address) == "http://set@proxy:8080"
    assert redact(("upstream_proxy",), "http://me:hunter2@proxy:8080") == "set"
    assert redact(("upstream_proxy",), "http://proxy:8080") == "http://proxy:8080"


def test_a_flag_takes_no_login():
    """Other users can read arguments; without one the flag is as good as any."""
    assert load({}, {"upstream_proxy": "socks5://[::1]:1080"}).upstream_proxy == ProxyAddress("socks5", "::1", 1080)
    with pytest.raises(CommandError) as caught:
        load({}, {"upstream_proxy": "http://me:hunter2@proxy:8080"})
    assert "hunter2" not in str(caught.value) + caught.value.hint
    assert "config set upstream_proxy --stdin" in caught.value.hint
