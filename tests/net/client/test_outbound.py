"""Which proxy an upstream is reached through, and which roots are trusted: settings first, then the environment."""

import os

import pytest
import trustme

from router.errors import CommandError
from router.net.client.outbound import read_outbound
from router.settings import Settings, load

FAR = ("https", "api.example", 443)


def way(environ=None, **settings):
    return read_outbound(Settings(**settings), environ or {})


def through(environ, scheme="https", host="api.example", port=443):
    """The proxy's text, None for none."""
    found = way(environ).find_proxy(scheme, host, port)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("environ", "secure", "plain"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": "http://s:1"}, "http://s:1", None),
        ({"HTTP_PROXY": "http://p:1"}, None, "http://p:1"),
        ({"ALL_PROXY": "socks5://a:1"}, "socks5://a:1", "socks5://a:1"),
        ({"ALL_PROXY": "socks5://a:1", "https_proxy": "s:1"}, "http://s:1", "socks5://a:1"),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "http://low:1", None),
        ({"HTTPS_PROXY": "  ", "all_proxy": "http://a:1"}, "http://a:1", "http://a:1"),
    ],
)
def test_the_environment_is_the_default(environ, secure, plain):
    """By the upstream's scheme, then ALL_PROXY; small letters before capitals, blanks are nothing."""
    assert (through(environ), through(environ, "http", port=80)) == (secure, plain)


def test_the_setting_wins():
    """For both schemes; off goes past the environment's."""
    address = load({"FAIRLEAD_UPSTREAM_PROXY": "http://own:1"}, {}).upstream_proxy
    off = load({"FAIRLEAD_UPSTREAM_PROXY": "off"}, {}).upstream_proxy
    environ = {"HTTPS_PROXY": "http://s:1", "HTTP_PROXY": "http://s:1"}
    for scheme in ("http", "https"):
        assert str(way(environ, upstream_proxy=address).find_proxy(scheme, "api.example", 443)) == "http://own:1"
        assert way(environ, upstream_proxy=off).find_proxy(scheme, "api.example", 443) is None


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0"])
def test_this_machine_is_reached_directly(host):
    """Whatever is set: a local model is behind no proxy."""
    assert through({"HTTPS_PROXY": "http://s:1"}, host=host) is None


NO_PROXY = [
    ("api.example", "api.example", True),
    ("API.example", "api.EXAMPLE", True),
    (".example", "api.example", True),
    ("example", "api.example", True),
    ("*.example", "api.example", True),
    ("ample", "api.example", False),
    ("pi.example", "api.example", False),
    ("a.api.example", "api.example", False),
    ("other, api.example", "api.example", True),
    ("other api.example", "api.example", True),
    ("*", "api.example", True),
    ("api.example:443", "api.example", True),
    ("api.example:444", "api.example", False),
    ("api.example.", "api.example", True),
    ("10.1.2.3", "10.1.2.3", True),
    ("10.1.2.0/24", "10.1.2.3", True),
    ("10.1.3.0/24", "10.1.2.3", False),
    ("10.1.2.3/99", "10.1.2.3", False),
    ("2.3", "10.1.2.3", False),
    ("fd00::/8", "fd00::7", True),
    ("[fd00::7]:443", "fd00::7", True),
    ("fd00::7", "fd00:0::7", True),
    ("fd00::8", "fd00::7", False),
    (",, ", "api.example", False),
    (".", "api.example", False),
]


@pytest.mark.parametrize(("listed", "host", "direct"), NO_PROXY)
def test_no_proxy_names_what_is_reached_directly(listed, host, direct):
    """Names with all below them, addresses and networks, with or without a port; a part of a name is none."""
    assert (through({"HTTPS_PROXY": "http://s:1", "NO_PROXY": listed}, host=host) is None) is direct


def test_a_proxy_nobody_understands_is_an_error():
    """It names the variable, not what stands in it, and the way without."""
    with pytest.raises(CommandError) as caught:
        way({"HTTPS_PROXY": "socks4://me:hunter2@old:1"})
    assert str(caught.value).startswith("$HTTPS_PROXY is not a valid proxy address; expected")
    assert "hunter2" not in str(caught.value)
    assert caught.value.hint.endswith("fairlead config set upstream_proxy off")


def test_roots_are_read_from_their_file(tmp_path):
    """Comments around the certificates do not matter, whatever they are written in."""
    pem = trustme.CA().cert_pem.bytes()
    path = tmp_path / "roots.pem"
    path.write_bytes("# Büro\n".encode() + pem)
    assert pem.decode() in way(tls_ca_file=str(path)).roots


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"", "which has no certificate"),
        (b"garbage \xff\x00", "which has no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nzz\n-----END CERTIFICATE-----\n", "which has no certificate"),
        (b"0" * ((4 << 20) + 1), "over 4 MiB"),
    ],
    ids=["missing", "empty", "garbage", "broken", "huge"],
)
def test_roots_that_cannot_be_used_are_an_error(tmp_path, content, said):
    """It names the file, the setting, and what was expected."""
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError) as caught:
        way(tls_ca_file=str(path))
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "Use a file of certificates in PEM form" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="POSIX pipes")
def test_a_pipe_in_place_of_the_roots_keeps_nobody_waiting(tmp_path):
    """It would hold up the start, or a reload, until somebody writes to it."""
    path = tmp_path / "roots.pem"
    os.mkfifo(path)
    with pytest.raises(CommandError, match="not a plain file"):
        way(tls_ca_file=str(path))


def test_a_key_in_place_of_a_certificate_is_an_error(tmp_path):
    """The two files of a pair are easily taken for each other."""
    path = tmp_path / "key.pem"
    trustme.CA().private_key_pem.write_to_path(path)
    with pytest.raises(CommandError, match="no certificate"):
        way(tls_ca_file=str(path))
