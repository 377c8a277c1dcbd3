"""What is said to a proxy, to the byte, and every answer it may give: whole, byte by byte, with bytes behind it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import Unreachable
from router.net.client.tunnels import HEAD_LIMIT, INTERIM_LIMIT, negotiate_http, negotiate_socks5
from router.settings.proxies import parse_proxy_address

HTTP = parse_proxy_address("http://proxy.example:3128")
HTTP_LOGIN = parse_proxy_address("http://me:s%3Acret@proxy.example:3128")
SOCKS = parse_proxy_address("socks5://proxy.example")
SOCKS_LOGIN = parse_proxy_address("socks5://me:secret@proxy.example")


def talked(talk, answers):
    """Hold a talk: what was sent before each answer was read. It must end with the last answer."""
    sent = next(talk)
    for answer in answers:
        assert answer
        try:
            sent += talk.send(answer)
        except StopIteration:
            assert answer is answers[-1]
            return sent
    raise AssertionError("it waits for more")


def bytewise(data):
    return [data[at : at + 1] for at in range(len(data))]


def test_connect_is_asked_for():
    """The authority as target and as Host, and nothing else."""
    sent = next(negotiate_http(HTTP, "api.example", 443))
    assert sent == b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n"
    assert next(negotiate_http(HTTP, "fd00::7", 80)).startswith(b"CONNECT [fd00::7]:80 HTTP/1.1\r\n")
    assert next(negotiate_http(HTTP, "bücher.example", 80)).startswith(b"CONNECT xn--bcher-kva.example:80 ")


def test_a_login_goes_to_the_proxy():
    """As basic authentication (RFC 7617)."""
    sent = next(negotiate_http(HTTP_LOGIN, "api.example", 443))
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:s:cret") + b"\r\n" in sent


OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"
OPENED = {
    "200": OPEN,
    "http 1.0": b"HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n",
    "a length means nothing": b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
    "chunks mean nothing": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" * INTERIM_LIMIT + OPEN,
}


@pytest.mark.parametrize("name", OPENED)
@pytest.mark.parametrize("split", [False, True])
def test_an_http_tunnel_opens(name, split):
    """At any 2xx, however it arrives."""
    talked(negotiate_http(HTTP, "api.example", 443), bytewise(OPENED[name]) if split else [OPENED[name]])


@pytest.mark.parametrize("name", OPENED)
def test_nothing_may_be_in_an_http_tunnel(name):
    """Bytes behind the head are not the upstream's: it has not been asked anything."""
    with pytest.raises(Unreachable, match="bytes of its own"):
        talked(negotiate_http(HTTP, "api.example", 443), [OPENED[name] + b"HTTP/1.1 200 OK\r\n\r\n"])


REFUSED = {
    "407": (b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", "asks for a login (407)"),
    "403": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\n<html", "does not allow connections"),
    "502": (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "could not reach api.example:443 (502)"),
    "503": (b"HTTP/1.1 503 Busy\r\n\r\n", "could not reach api.example:443 (503)"),
    "302": (b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n", "(302)"),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "did not answer in HTTP"),
    "interim without end": (b"HTTP/1.1 102 Processing\r\n\r\n" * (INTERIM_LIMIT + 1), "without end"),
    "ssh": (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "did not answer in HTTP"),
    "tls": (b"\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n", "did not answer in HTTP"),
    "broken head": (b"HTTP/1.1 200 OK\r\nno colon secret\r\n\r\n", "did not answer in HTTP"),
    "long head": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * HEAD_LIMIT, "did not answer in HTTP"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("split", [False, True])
def test_an_http_proxy_that_refuses_is_named(name, split):
    """The error is the proxy's, with its status; a login is not in it."""
    answer, said = REFUSED[name]
    for proxy in (HTTP, HTTP_LOGIN):
        with pytest.raises(Unreachable) as caught:
            talked(negotiate_http(proxy, "api.example", 443), bytewise(answer) if split else [answer])
        message = caught.value.message
        assert message.startswith(f"The proxy {proxy} ")
        assert "secret" not in message
        assert (said if proxy is HTTP or name != "407" else "does not accept the login (407)") in message


def test_socks_is_asked_for():
    """The name goes to the proxy, which resolves it; addresses go as such."""
    granted = b"\x05\x00"
    done = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    assert talked(negotiate_socks5(SOCKS, "api.example", 443), [granted, done]) == (
        b"\x05\x01\x00\x05\x01\x00\x03\x0bapi.example\x01\xbb"
    )
    assert talked(negotiate_socks5(SOCKS, "10.1.2.3", 80), [granted, done]).endswith(b"\x01\x0a\x01\x02\x03\x00\x50")
    assert talked(negotiate_socks5(SOCKS, "::1", 80), [granted, done]).endswith(
        b"\x04" + b"\x00" * 15 + b"\x01\x00\x50"
    )
    assert b"xn--bcher-kva.example" in talked(negotiate_socks5(SOCKS, "bücher.example", 80), [granted, done])


def test_a_socks_login_goes_to_the_proxy():
    """When the proxy chooses it (RFC 1929), and only then."""
    done = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    sent = talked(negotiate_socks5(SOCKS_LOGIN, "a.example", 1), [b"\x05\x02", b"\x01\x00", done])
    assert sent == b"\x05\x02\x00\x02\x01\x02me\x06secret\x05\x01\x00\x03\x09a.example\x00\x01"
    assert b"secret" not in talked(negotiate_socks5(SOCKS_LOGIN, "a.example", 1), [b"\x05\x00", done])


SOCKS_OPENED = {
    "v4": b"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38",
    "v6": b"\x05\x00\x05\x00\x00\x04" + b"\x00" * 18,
    "name": b"\x05\x00\x05\x00\x00\x03\x05proxy\x04\x38",
    "empty name": b"\x05\x00\x05\x00\x00\x03\x00\x04\x38",
}


@pytest.mark.parametrize("name", SOCKS_OPENED)
@pytest.mark.parametrize("split", [False, True])
def test_a_socks_tunnel_opens(name, split):
    """Whatever address the proxy says it used, however the reply arrives."""
    answer = SOCKS_OPENED[name]
    talked(negotiate_socks5(SOCKS, "api.example", 443), bytewise(answer) if split else [answer[:2], answer[2:]])


@pytest.mark.parametrize("name", SOCKS_OPENED)
def test_nothing_may_be_in_a_socks_tunnel(name):
    """As with HTTP."""
    with pytest.raises(Unreachable, match="bytes of its own"):
        talked(negotiate_socks5(SOCKS, "api.example", 443), [SOCKS_OPENED[name][:2], SOCKS_OPENED[name][2:] + b"x"])


def test_a_socks_proxy_answers_when_it_is_asked():
    """A reply that comes with the choice of the login is nobody's."""
    with pytest.raises(Unreachable, match="before it was asked"):
        talked(negotiate_socks5(SOCKS, "api.example", 443), [SOCKS_OPENED["v4"]])


SOCKS_REFUSED = {
    "login wanted": (b"\x05\x02", "asks for a login"),
    "none wanted": (b"\x05\xff", "asks for a login"),
    "gssapi": (b"\x05\x01", "asks for a login"),
    "socks4": (b"\x04\x5a", "did not answer in SOCKS5"),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "did not answer in SOCKS5"),
    "version of the reply": (b"\x05\x00\x04\x00\x00\x01", "did not answer in SOCKS5"),
    "kind of address": (b"\x05\x00\x05\x00\x00\x09", "did not answer in SOCKS5"),
    **{
        f"reply {number}": (b"\x05\x00\x05%c\x00\x01" % number, said)
        for number, said in [(1, "failed"), (2, "rules"), (3, "network"), (4, "host"), (5, "refused"), (99, "reply 99")]
    },
}


@pytest.mark.parametrize("name", SOCKS_REFUSED)
@pytest.mark.parametrize("split", [False, True])
def test_a_socks_proxy_that_refuses_is_named(name, split):
    """As soon as that is clear."""
    answer, said = SOCKS_REFUSED[name]
    with pytest.raises(Unreachable) as caught:
        talked(negotiate_socks5(SOCKS, "api.example", 443), bytewise(answer) if split else [answer[:2], answer[2:]])
    assert caught.value.message.startswith("The proxy socks5://proxy.example:1080 ")
    assert said in caught.value.message


def test_a_refused_socks_login_is_named():
    """Without the login."""
    with pytest.raises(Unreachable) as caught:
        talked(negotiate_socks5(SOCKS_LOGIN, "api.example", 443), [b"\x05\x02", b"\x01\x01"])
    assert "does not accept the login" in caught.value.message
    assert "secret" not in caught.value.message


def test_a_name_too_long_for_socks_is_named():
    """The frame has one byte for its length."""
    with pytest.raises(Unreachable, match="too long"):
        talked(negotiate_socks5(SOCKS, "a" * 256, 443), [b"\x05\x00"])


@given(
    st.sampled_from([(negotiate_http, HTTP), (negotiate_socks5, SOCKS), (negotiate_socks5, SOCKS_LOGIN)]),
    st.lists(
        st.sampled_from([b"\x05", b"\x00", b"\x02", b"\x03", b"\xff", b"HTTP/1.1 2", b"00 OK\r\n", b"\r\n"])
        | st.binary(min_size=1, max_size=9),
        max_size=12,
    ),
)
def test_a_talk_ends_or_waits_or_says_why(kind, answers):
    """Whatever a proxy sends: no other error than ours, and no bytes to it before its turn."""
    make, proxy = kind
    talk = make(proxy, "api.example", 443)
    assert next(talk)
    try:
        for answer in answers:
            talk.send(answer)
    except (StopIteration, Unreachable) as error:
        assert str(error).isprintable()  # noqa: PT017 - it may or may not come to that
