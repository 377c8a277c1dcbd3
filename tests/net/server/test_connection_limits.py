"""What a connection refuses, and how long it waits."""

import pytest
import trio

from router.errors import BadRequest, Unavailable
from router.net.server.cancel_reason import CancelReason
from router.net.server.limits import Limits
from router.net.server.request_head import FIELD_LIMIT, HEAD_LIMIT

HOST = b"Host: localhost\r\n"
GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"

REFUSALS = {
    "length and coding": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        b"both",
    ),
    "coding in 1.0": (b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, b"1.0"),
    "http 2": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 400, b"HTTP"),
    "http 1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 400, b"HTTP/1.1"),
    "http 0.9": (b"GET /\r\n\r\n", 400, b""),
    "bare lf": (b"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", 400, b"CRLF"),
    "one bare lf": (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400, b"CRLF"),
    "bare cr": (b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400, b"CRLF"),
    "folded by space": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400, b"folded"),
    "folded by tab": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n\tb\r\n\r\n", 400, b"folded"),
    "absolute form": (b"GET http://localhost/v1 HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"path"),
    "authority form": (b"GET localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"path"),
    "star": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"path"),
    "dots": (b"GET /v1/../admin HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"dot"),
    "one dot": (b"GET /v1/./admin HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"dot"),
    "dots at the end": (b"GET /v1/.. HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"dot"),
    "encoded dots": (b"GET /v1/%2E%2e/admin HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"dot"),
    "half encoded dots": (b"GET /v1/.%2e/admin HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"dot"),
    "encoded slash": (b"GET /v1%2fmessages HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"slash"),
    "encoded slash elsewhere": (b"GET /v1/files/a%2Fb HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"slash"),
    "encoded slash before a name": (b"GET /v1/models%2Fa HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"slash"),
    "encoded slash further on": (b"GET /v1/x/models/a%2Fb HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"slash"),
    "dots beside a model": (b"GET /v1/models/a%2Fb/../x HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"dot"),
    "backslash in a model": (b"GET /v1/models/a%2Fb%5Cc HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"backslash"),
    "backslash": (b"GET /v1\\messages HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"backslash"),
    "encoded backslash": (b"GET /v1%5Cmessages HTTP/1.1\r\n" + HOST + b"\r\n", 400, b"backslash"),
    "connect": (b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405, b"forward proxy"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, b""),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, b""),
    "two lengths": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, b""),
    "odd length": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na", 400, b""),
    "other coding": (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, b""),
    "no name": (b"GET / HTTP/1.1\r\n" + HOST + b": x\r\n\r\n", 400, b""),
    "space before colon": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length : 3\r\n\r\nabc", 400, b""),
    "control character in a value": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x10b\r\n\r\n", 400, b"control"),
    "escape in a value": (b"GET / HTTP/1.1\r\n" + HOST + b"X: \x1b[2J\r\n\r\n", 400, b"control"),
    "null in a value": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400, b""),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, b""),
    "fields": (b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * FIELD_LIMIT + b"\r\n", 431, b"100"),
    "long field": (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * HEAD_LIMIT + b"\r\n\r\n", 431, b"64 KiB"),
    "long head without end": (b"GET /" + b"y" * (HEAD_LIMIT + 1), 431, b"64 KiB"),
    "bad chunk": (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, b""),
    "chunk without end": (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400, b""),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_two_servers_could_read_differently_is_refused(net, name):
    """The status and words of the table, then the end of the connection: nothing behind it is served."""
    request, status, words = REFUSALS[name]
    application = net.Echo()
    client = net.fed([request + GET], application)
    [(seen, text)] = client.answers
    assert seen == status
    assert words in text
    assert b"connection: close" in client.text.lower()
    assert ("GET", b"/a") not in application.seen
    assert application.crashes == []


@pytest.mark.parametrize("name", [name for name, row in REFUSALS.items() if len(row[0]) < 200])
def test_refusals_do_not_depend_on_how_the_bytes_came(net, name):
    """Byte by byte the same is refused."""
    request, status, _ = REFUSALS[name]
    application = net.Echo()
    [(seen, _)] = net.fed([request[at : at + 1] for at in range(len(request))], application).answers
    assert seen == status
    assert application.crashes == []


def test_a_head_at_its_limits_is_served(net):
    """100 fields and 64 KiB are not too many."""
    fields = b"GET /a HTTP/1.1\r\n" + HOST + b"X: y\r\n" * (FIELD_LIMIT - 1) + b"\r\n"
    assert net.fed([fields]).answers == [(200, b"GET /a ")]
    start = b"GET /a HTTP/1.1\r\n" + HOST + b"X: "
    whole = start + b"y" * (HEAD_LIMIT - len(start) - 4) + b"\r\n\r\n"
    assert net.fed([whole]).answers == [(200, b"GET /a ")]


def test_blank_lines_before_a_request_mean_the_same_however_they_come(net):
    """One is tolerated (RFC 9112, 2.2); two are the same thing in one read and in three."""
    request = b"\r\n\r\n" + GET
    assert net.fed([request]).answers == net.fed([b"\r\n", b"\r\n", GET]).answers


LIMITS = Limits()


def ended(net, talk, application=None, limits=LIMITS):
    """The client, and when its connection ended."""
    times = []

    async def timed(client, connection):
        await talk(client, connection)
        await client.read_to_end()
        times.append(trio.current_time())

    return net.exchanged(application or net.Echo(), timed, limits), times[0]


def test_an_idle_connection_ends_without_a_word(net):
    """After 10 s without a first request, and 120 s without the next."""

    async def silent(client, connection):
        client.began = trio.current_time()

    client, at = ended(net, silent)
    assert client.text == b""
    assert at - client.began == pytest.approx(10, abs=0.1)

    async def once(client, connection):
        await trio.sleep(9)
        await client.send(GET)
        client.began = trio.current_time()

    client, at = ended(net, once)
    assert client.answers == [(200, b"GET /a ")]
    assert at - client.began == pytest.approx(120, abs=0.1)


def dripped(net, pieces):
    """The client that sends a piece a second, and when its connection ended."""

    async def drip(client, connection):
        began = trio.current_time()
        for at in range(300):
            if at < len(pieces):
                await client.send(pieces[at])
            await trio.sleep(1)
            await client.read()
            if client.closed:
                break
        client.seconds = trio.current_time() - began

    return net.exchanged(net.Echo(), drip)


@pytest.mark.parametrize("pieces", [[b"GET / HTTP/1.1\r\nHo"], [b"G"] + [b"E"] * 300], ids=["stopped", "dripping"])
def test_a_slow_head_is_cut(net, pieces):
    """408 at 10 s from its first byte, however many pieces it comes in."""
    client = dripped(net, pieces)
    assert [status for status, _ in client.answers] == [408]
    assert client.seconds == pytest.approx(10, abs=1.1)


def test_blank_lines_keep_nothing_open(net):
    """They are no head: a client that sends nothing else is gone within the idle time at the latest."""
    assert dripped(net, [b"\r\n"] * 300).seconds <= 121


def test_a_slow_body_is_cut(net):
    """30 s between two reads; each piece begins them anew."""

    async def drip(client, connection):
        await client.send(b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\n")
        for _ in range(4):
            await trio.sleep(25)
            await client.send(b"x")
        client.began = trio.current_time()

    application = net.Echo()
    client, at = ended(net, drip, application)
    assert application.cuts == [CancelReason.BODY]
    assert at - client.began == pytest.approx(30, abs=1.1)


def test_a_client_that_stops_reading_is_cut(net):
    """5 minutes unread, then the connection is dropped with the answer half out."""

    class Large(net.Echo):
        async def answer(self, connection, request):
            self.began = trio.current_time()
            await connection.respond(200, [], b"z" * (1 << 23))

    application = Large()

    async def main(client, connection):
        await client.send(GET)
        await trio.sleep(299)
        assert application.cuts == []
        await trio.sleep(2)
        assert application.cuts == [CancelReason.STALLED]

    client = net.exchanged(application, main)
    assert len(client.text) < 1 << 23


def test_a_client_that_reads_slowly_is_not_cut(net):
    """Each read of its own begins the 5 minutes anew only as bytes leave; a steady reader gets all."""

    class Large(net.Echo):
        async def answer(self, connection, request):
            for _ in range(8):
                await connection.write([b"z" * (1 << 18)])
            connection.abort()

    async def main(client, connection):
        await client.send(GET)
        for _ in range(8):
            await trio.sleep(200)
            await client.read()

    client = net.exchanged(Large(), main)
    assert client.text == b"z" * (1 << 21)


def test_a_deadline_of_the_application_s_is_told_to_it(net):
    """What it set is what it hears of, outside the cut scope, so that it can still answer."""

    class Waiting(net.Echo):
        async def answer(self, connection, request):
            async def cut(why):
                self.cuts.append((why, trio.current_time() - self.began))
                await connection.respond(504, [], b"late")

            self.began = trio.current_time()
            connection.on_cancel = cut
            connection.set_deadline(7, CancelReason.FIRST_BYTE)
            await trio.sleep_forever()

    application = Waiting()
    client = net.fed([GET], application)
    assert application.cuts == [(CancelReason.FIRST_BYTE, pytest.approx(7))]
    assert client.answers == [(504, b"late")]


def test_the_answer_to_a_cut_request_says_that_it_is_the_last(net):
    """Its connection ends: a client that sent its next request there would have to guess what became of it."""

    class Waiting(net.Echo):
        async def answer(self, connection, request):
            async def cut(why):
                await connection.respond(504, [], b"late")

            connection.on_cancel = cut
            connection.set_deadline(7, CancelReason.TOTAL)
            await trio.sleep_forever()

    client = net.fed([GET + GET], Waiting())
    assert client.answers == [(504, b"late")]
    assert b"connection: close" in client.text.lower()


def test_a_cut_answer_arrives_though_a_body_is_still_coming(net):
    """Closing over unread bytes would reset the answer away."""

    class Waiting(net.Echo):
        async def answer(self, connection, request):
            async def cut(why):
                await connection.respond(504, [], b"late")

            connection.on_cancel = cut
            connection.set_deadline(7, CancelReason.TOTAL)
            await trio.sleep_forever()

    async def talk(client, connection):
        await client.send(b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 4000000\r\n\r\n")
        client.stream.try_send([b"x" * 3_000_000])

    assert net.exchanged(Waiting(), talk).answers == [(504, b"late")]


def test_a_retired_connection_ends_at_once_when_idle(net):
    """Stopping closes what does nothing."""

    async def talk(client, connection):
        await client.send(GET)
        connection.retire()
        client.began = trio.current_time()

    client, at = ended(net, talk)
    assert client.answers == [(200, b"GET /a ")]
    assert at == client.began


def test_a_retired_connection_ends_its_answer_first(net):
    """What is under way is finished; nothing behind it is begun."""

    class Slow(net.Echo):
        async def answer(self, connection, request):
            connection.set_deadline(100, CancelReason.TOTAL)
            await trio.sleep(5)
            await connection.respond(200, [], b"done")

    async def talk(client, connection):
        await client.send(GET + GET)
        assert connection.busy
        connection.retire()

    application = Slow()
    client = net.exchanged(application, talk)
    assert client.answers == [(200, b"done")]
    assert b"connection: close" in client.text.lower()
    assert len(application.seen) == 1


def test_a_connection_retired_before_it_began_serves_nothing(net):
    """It was accepted as the proxy stopped."""

    async def talk(client, connection):
        connection.retire()
        await client.read()
        assert client.closed

    application = net.Echo()
    assert net.exchanged(application, talk).text == b""
    assert application.seen == []


def test_a_cut_from_outside_is_told_once(net):
    """The proxy's stop: the first reason given is the reason."""

    async def talk(client, connection):
        await client.send(GET)
        connection.cancel(CancelReason.STOPPING)
        connection.cancel(CancelReason.TOTAL)

    class Hanging(net.Echo):
        async def answer(self, connection, request):
            await trio.sleep_forever()

    application = Hanging()
    net.exchanged(application, talk)
    assert application.cuts == [CancelReason.STOPPING]


def test_a_defect_in_the_last_words_stays_in_its_connection(net):
    """What an application raises while it is being cut is reported; nothing leaves the connection's task."""

    class Clumsy(net.Echo):
        async def answer(self, connection, request):
            async def cut(why):
                raise ZeroDivisionError

            connection.on_cancel = cut
            connection.set_deadline(5, CancelReason.TOTAL)
            await trio.sleep_forever()

    application = Clumsy()
    assert net.fed([GET], application).answers == []
    assert [type(error) for error in application.crashes] == [ZeroDivisionError]


@pytest.mark.parametrize("error", [BadRequest("no"), Unavailable("no")])
def test_an_error_of_ours_is_answered_and_closes(net, error):
    """In the form the application gives errors."""

    class Failing(net.Echo):
        async def answer(self, connection, request):
            raise error

    client = net.fed([GET + GET], Failing())
    assert client.answers == [(error.status, b"no")]


def test_an_error_after_the_head_cuts_the_answer(net):
    """It is too late for a status: the client must not take what it has for whole."""

    class Late(net.Echo):
        async def answer(self, connection, request):
            await connection.write([*connection.frame_head(200, []), *connection.frame_data(b"half")])
            raise BadRequest("late")

    client = net.fed([GET], Late())
    assert b"late" not in client.text
    assert b"0\r\n\r\n" not in client.text
