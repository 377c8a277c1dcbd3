"""A client's requests as tables: fed whole, in pieces, and with bytes behind them; each is served, or refused.

The ideas are those of nginx's header, chunked and keep-alive tests, Envoy's HTTP/1 codec corpus, and h11's tables.
"""

import pytest

HOST = b"Host: localhost\r\n"
NEXT = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"0\r\n\r\n"


def chunked(*lines):
    return b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(lines)


def posted(*fields, body=b"hi"):
    return b"POST /a HTTP/1.1\r\n" + HOST + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def headed(line, fields=HOST):
    return line + b"\r\n" + fields + b"\r\n"


SIZED = b"Content-Length: 2"

#: name -> request, the body that is read. The next request is answered on the same connection.
SERVED = {
    "upper-case size": (chunked(b"A\r\n0123456789\r\n", LAST), b"0123456789"),
    "lower-case size": (chunked(b"a\r\n0123456789\r\n", LAST), b"0123456789"),
    "size with zeros": (chunked(b"0005\r\nhello\r\n", b"000\r\n\r\n"), b"hello"),
    "size with spaces": (chunked(b"5 \t\r\nhello\r\n", LAST), b"hello"),
    "extension": (chunked(b"5;a\r\nhello\r\n", b"0;b=c\r\n\r\n"), b"hello"),
    "quoted extension": (chunked(b'5;a="b;c\\"d"\r\nhello\r\n', LAST), b"hello"),
    "line ends in a chunk": (chunked(b"6\r\n\n\r\n0\r\n\r\n", LAST), b"\n\r\n0\r\n"),
    "no chunks": (chunked(LAST), b""),
    "many chunks": (chunked(b"1\r\nx\r\n" * 300, LAST), b"x" * 300),
    "trailers": (chunked(b"0\r\nX: 1\r\nY: 2\r\n\r\n"), b""),
    "trailer that would name a host": (chunked(b"0\r\nHost: evil.example\r\n\r\n"), b""),
    "100 trailers": (chunked(b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n"), b""),
    "upper-case coding": (posted(b"TRANSFER-ENCODING: CHUNKED", body=LAST), b""),
    "coding between tabs": (posted(b"Transfer-Encoding:\tchunked\t", body=LAST), b""),
    "coding of another name": (posted(b"Transfer_Encoding: chunked", body=b""), b""),
    "one length twice": (posted(SIZED, SIZED), b"hi"),
    "one length in a list": (posted(b"Content-Length: 2, 2"), b"hi"),
    "length with zeros": (posted(b"Content-Length: 0002"), b"hi"),
    "keep-alive": (posted(b"Connection: keep-alive", SIZED), b"hi"),
    "unknown expectation": (posted(b"Expect: magic", SIZED), b"hi"),
    "expectation without a body": (posted(b"Expect: 100-continue", body=b""), b""),
    "upgrade to h2c": (posted(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", SIZED), b"hi"),
    "empty field": (posted(b"X:", SIZED), b"hi"),
    "field without a space": (posted(b"X:y", SIZED), b"hi"),
    "odd name": (posted(b"!#$%&'*+-.^_`|~: x", SIZED), b"hi"),
    "bytes over 127": (posted(b"X: \xc3\xa4\xff", SIZED), b"hi"),
    "long name": (posted(b"x" * 60_000 + b": y", SIZED), b"hi"),
}

#: Requests that are answered and are the last.
CLOSING = {
    "close in a list": posted(b"Connection: x, Close", SIZED),
    "close in a second field": posted(b"Connection: x", b"connection: close", SIZED),
    "keep-alive and close": posted(b"Connection: keep-alive, close", SIZED),
    "HTTP/1.0": posted(SIZED).replace(b"1.1", b"1.0"),
    "HTTP/1.0, keep-alive": posted(b"Connection: keep-alive", SIZED).replace(b"1.1", b"1.0"),
    "HTTP/1.0, expectation": posted(b"Expect: 100-continue", SIZED).replace(b"1.1", b"1.0"),
}

#: name -> request, status. Nothing of it, and nothing behind it, is served.
REFUSED = {
    "size with a space before": (chunked(b" 5\r\nhello\r\n", LAST), 400),
    "size with 0x": (chunked(b"0x5\r\nhello\r\n", LAST), 400),
    "negative size": (chunked(b"-5\r\nhello\r\n", LAST), 400),
    "signed size": (chunked(b"+5\r\nhello\r\n", LAST), 400),
    "size with an underscore": (chunked(b"1_0\r\n0123456789012345\r\n", LAST), 400),
    "no size": (chunked(b"\r\nhello\r\n", LAST), 400),
    "only an extension": (chunked(b";a\r\nhello\r\n", LAST), 400),
    "size over 64 bits": (chunked(b"10000000000000005\r\nhello\r\n", LAST), 400),
    "size of many zeros": (chunked(b"0" * 20 + b"5\r\nhello\r\n", LAST), 400),
    "size with LF": (chunked(b"5\nhello\r\n", LAST), 400),
    "size with CR": (chunked(b"5\rhello\r\n", LAST), 400),
    "all with LF": (chunked(b"5\nhello\n0\n\n"), 400),
    "chunk with LF": (chunked(b"5\r\nhello\n", LAST), 400),
    "chunk with CR": (chunked(b"5\r\nhello\rX", LAST), 400),
    "chunk with more": (chunked(b"5\r\nhello, world\r\n", LAST), 400),
    "extension with LF": (chunked(b"5;a\nb\r\nhello\r\n", LAST), 400),
    "extension with CR": (chunked(b"5;a\rb\r\nhello\r\n", LAST), 400),
    "extension with NUL": (chunked(b"5;a\0b\r\nhello\r\n", LAST), 400),
    "space before an extension": (chunked(b"5 ;a\r\nhello\r\n", LAST), 400),
    "long extension": (chunked(b"1;" + b"x" * 5000 + b"\r\na\r\n", LAST), 400),
    "endless extension": (chunked(b"1;" + b"x" * 200_000), 400),
    "last chunk with LF": (chunked(b"0\r\n\n"), 400),
    "trailer with LF": (chunked(b"0\r\nX: 1\n\r\n"), 400),
    "trailers ended by LF": (chunked(b"0\r\nX: 1\n\n"), 400),
    "folded trailer": (chunked(b"0\r\nX: 1\r\n y\r\n\r\n"), 400),
    "trailer folded at once": (chunked(b"0\r\n X: 1\r\n\r\n"), 400),
    "trailer without a colon": (chunked(b"0\r\nX 1\r\n\r\n"), 400),
    "trailer with NUL": (chunked(b"0\r\nX: a\0b\r\n\r\n"), 400),
    "trailer with a space before the colon": (chunked(b"0\r\nX : a\r\n\r\n"), 400),
    "length in a trailer": (chunked(b"0\r\nContent-Length: 5\r\n\r\n"), 400),
    "coding in a trailer": (chunked(b"0\r\nTransfer-Encoding: identity\r\n\r\n"), 400),
    "101 trailers": (chunked(b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n"), 431),
    "long trailer": (chunked(b"0\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"), 431),
    "endless trailers": (chunked(b"0\r\n" + b"X: y\r\n" * 30_000), 431),
    "chunked twice in a field": (posted(b"Transfer-Encoding: chunked, chunked", body=LAST), 501),
    "chunked in two fields": (posted(*[b"Transfer-Encoding: chunked"] * 2, body=LAST), 501),
    "identity, chunked": (posted(b"Transfer-Encoding: identity, chunked", body=LAST), 501),
    "no coding": (posted(b"Transfer-Encoding:"), 501),
    "coding before a comma": (posted(b"Transfer-Encoding: chunked,", body=LAST), 501),
    "coding behind a comma": (posted(b"Transfer-Encoding: ,chunked", body=LAST), 501),
    "coding in quotes": (posted(b'Transfer-Encoding: "chunked"', body=LAST), 501),
    "coding with a parameter": (posted(b"Transfer-Encoding: chunked;a=b", body=LAST), 501),
    "coding with another's name": (posted(b"Transfer-Encoding: xchunked", body=LAST), 501),
    "coding behind a vertical tab": (posted(b"Transfer-Encoding: \x0bchunked", body=LAST), 400),
    "space before the coding's colon": (posted(b"Transfer-Encoding : chunked", body=LAST), 400),
    "empty length": (posted(b"Content-Length:"), 400),
    "hexadecimal length": (posted(b"Content-Length: 0x2"), 400),
    "negative length": (posted(b"Content-Length: -2"), 400),
    "length with an underscore": (posted(b"Content-Length: 1_0", body=b"0123456789"), 400),
    "length with a space": (posted(b"Content-Length: 1 0", body=b"0123456789"), 400),
    "fractional length": (posted(b"Content-Length: 2.0"), 400),
    "length in other digits": (posted("Content-Length: ٢".encode()), 400),
    "length of 5,000 digits": (posted(b"Content-Length: " + b"9" * 5000), 400),
    "lengths that differ": (posted(SIZED, b"Content-Length: 3"), 400),
    "two spaces": (headed(b"GET  /a HTTP/1.1"), 400),
    "tabs": (headed(b"GET\t/a\tHTTP/1.1"), 400),
    "space at the end": (headed(b"GET /a HTTP/1.1 "), 400),
    "space at the beginning": (headed(b" GET /a HTTP/1.1"), 400),
    "lower-case version": (headed(b"GET /a http/1.1"), 400),
    "version of three digits": (headed(b"GET /a HTTP/1.10"), 400),
    "version with a zero": (headed(b"GET /a HTTP/01.1"), 400),
    "half a version": (headed(b"GET /a HTTP/1."), 400),
    "other protocol": (headed(b"GET /a ICY/1.1"), 400),
    "no target": (headed(b"GET HTTP/1.1"), 400),
    "space in the target": (headed(b"GET /a b HTTP/1.1"), 400),
    "bytes over 127 in the target": (headed(b"GET /\xc3\xa4 HTTP/1.1"), 400),
    "control character in the target": (headed(b"GET /a\x7f HTTP/1.1"), 400),
    "fragment": (headed(b"GET /a#b HTTP/1.1"), 400),
    "fragment in the query": (headed(b"GET /a?b#/../c HTTP/1.1"), 400),
    "query without a path": (headed(b"GET ?a HTTP/1.1"), 400),
    "odd verb": (headed(b"G(T /a HTTP/1.1"), 400),
    "folded first field": (headed(b"GET /a HTTP/1.1", b" x: y\r\n" + HOST), 400),
    "field without a colon": (posted(b"abc"), 400),
    "space in a name": (posted(b"a b: c"), 400),
    "bytes over 127 in a name": (posted(b"\xc3\xa4: c"), 400),
    "CR CR LF": (headed(b"GET /a HTTP/1.1\r"), 400),
    "LF before": (headed(b"\nGET /a HTTP/1.1"), 400),
    "CR before": (headed(b"\rGET /a HTTP/1.1"), 400),
    "two blank lines before": (headed(b"\r\n\r\nGET /a HTTP/1.1"), 400),
    "SSH": (b"SSH-2.0-client\r\n\r\n", 400),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
}


def whole(data):
    return [data]


def cut(data):
    """Byte by byte, or where that would take long, in pieces that are no multiple of anything."""
    step = 1 if len(data) < 2000 else 997
    return [data[at : at + step] for at in range(0, len(data), step)]


FEEDS = pytest.mark.parametrize("feed", [whole, cut])


@FEEDS
@pytest.mark.parametrize("name", SERVED)
def test_served(net, name, feed):
    """The body as it was meant, and the next request behind it."""
    request, body = SERVED[name]
    application = net.Echo()
    client = net.fed(feed(request + NEXT), application)
    assert client.answers == [(200, b"POST /a " + body), (200, b"GET /next ")]
    assert application.crashes == []


@FEEDS
@pytest.mark.parametrize("name", SERVED)
def test_garbage_behind_it(net, name, feed):
    """What follows a request is none of its body: it is answered, and the garbage refused."""
    request, body = SERVED[name]
    application = net.Echo()
    first, second = net.fed(feed(request + b"\x00\xff\r\n\r\n" + NEXT), application).answers
    assert (first, second[0]) == ((200, b"POST /a " + body), 400)
    assert len(application.seen) == 1


@FEEDS
@pytest.mark.parametrize("name", CLOSING)
def test_last(net, name, feed):
    """It is answered, without interim answers, and nothing behind it is served."""
    application = net.Echo()
    client = net.fed(feed(CLOSING[name] + NEXT), application)
    assert client.answers == [(200, b"POST /a hi")]
    assert b"connection: close" in client.text.lower()
    assert len(application.seen) == 1


@FEEDS
@pytest.mark.parametrize("name", REFUSED)
def test_refused(net, name, feed):
    """One answer, which is no echo of what came, then the end: a request inside or behind it is never served."""
    request, status = REFUSED[name]
    application = net.Echo()
    client = net.fed(feed(request + NEXT), application)
    [(seen, text)] = client.answers
    assert seen == status
    assert b"bytearray" not in text
    assert len(text) < 200
    assert b"connection: close" in client.text.lower()
    assert ("GET", b"/next") not in application.seen
    assert application.crashes == []


@FEEDS
def test_a_client_that_speaks_tls_is_recognised(net, feed):
    """By its first byte: the answer, which only a log shows, says what to do."""
    client = net.fed(feed(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)))
    assert client.answers == [(400, b"A client spoke TLS to this port: use http://")]


def test_a_key_in_a_broken_line_is_not_repeated(net):
    """A refusal may be logged by those who get it."""
    client = net.fed([posted(b"Authorization Bearer sk-secret-key")])
    assert [status for status, _ in client.answers] == [400]
    assert b"sk-secret" not in client.text
