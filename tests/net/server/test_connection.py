"""One client connection: requests in any pieces, one after the other, each with its answer."""

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from router.net.server.cancel_reason import CancelReason
from router.net.server.read_ahead import READ_AHEAD

HOST = b"Host: localhost\r\n"
GET = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"
NEXT = (200, b"GET /next ")

# name -> request, answer
GOLDEN = {
    "get": (b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"\r\n", (200, b"GET /a?b=c ")),
    "blank line before": (b"\r\nGET /a HTTP/1.1\r\n" + HOST + b"\r\n", (200, b"GET /a ")),
    "length": (b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello", (200, b"POST /a hello")),
    "no length": (b"POST /a HTTP/1.1\r\n" + HOST + b"\r\n", (200, b"POST /a ")),
    "empty": (b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\n\r\n", (200, b"POST /a ")),
    "looks like a head": (
        b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        (200, b"POST /a GET / HTTP/1.1\r\n\r\n"),
    ),
    "line ends in the body": (
        b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 6\r\n\r\n\n\r\n\n x",
        (200, b"POST /a \n\r\n\n x"),
    ),
    "chunked": (
        b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        (200, b"POST /a abcde"),
    ),
    "trailers": (
        b"POST /a HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-T: 1\r\n\r\n",
        (200, b"POST /a a"),
    ),
    "error": (b"GET /missing HTTP/1.1\r\n" + HOST + b"\r\n", (404, b"GET /missing ")),
    "error with a body": (
        b"POST /ignored HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi",
        (404, b"unread"),
    ),
    "star": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", (200, b"OPTIONS * ")),
    "other verb": (b"PURGE /a HTTP/1.1\r\n" + HOST + b"\r\n", (200, b"PURGE /a ")),
    "encoded dots in a name": (b"GET /a%2e%2eb/.c HTTP/1.1\r\n" + HOST + b"\r\n", (200, b"GET /a%2e%2eb/.c ")),
    "slashes in a model": (
        b"GET /models/a%2Fb%2f..%2F/c HTTP/1.1\r\n" + HOST + b"\r\n",
        (200, b"GET /models/a%2Fb%2f..%2F/c "),
    ),
    "dots in a query": (b"GET /a?p=../..\\%2f HTTP/1.1\r\n" + HOST + b"\r\n", (200, b"GET /a?p=../..\\%2f ")),
}


def by_byte(data):
    return [data[at : at + 1] for at in range(len(data))]


@pytest.mark.parametrize("name", GOLDEN)
def test_a_request_fed_whole_is_answered(net, name):
    """Each request of the table, and the pipelined one behind it, on one connection."""
    request, answer = GOLDEN[name]
    assert net.fed([request + GET]).answers == [answer, NEXT]


@pytest.mark.parametrize("name", [name for name in GOLDEN if name != "error with a body"])
def test_a_request_fed_byte_by_byte_is_answered(net, name):
    """The same answers when every byte comes alone."""
    request, answer = GOLDEN[name]
    assert net.fed(by_byte(request + GET)).answers == [answer, NEXT]


@pytest.mark.parametrize("name", GOLDEN)
def test_garbage_behind_a_request_does_not_spoil_it(net, name):
    """The request is answered, the garbage refused, the connection closed."""
    request, answer = GOLDEN[name]
    application = net.Echo()
    first, second = net.fed([request + b"\x00\xff garbage\r\n\r\n" + GET], application).answers
    assert first == answer
    assert second[0] == 400
    assert len(application.seen) == 1


@settings(max_examples=40)
@given(st.lists(st.sampled_from(sorted(GOLDEN)), min_size=1, max_size=4), st.data())
def test_any_split_of_any_sequence_gives_the_same_answers(net, names, data):
    """Pipelined requests are answered in order, wherever the network cut them."""
    # An application that answers at once, with half the body still out, closes: that has a test of its own.
    names = [name for name in names if name != "error with a body"]
    sent = b"".join(GOLDEN[name][0] for name in names)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True) if start < end]
    assert net.fed(pieces).answers == [GOLDEN[name][1] for name in names]


def test_a_bad_head_behind_a_body_is_refused_too(net):
    """What h11 had read beyond the body is checked as raw as any other head."""
    request, answer = GOLDEN["length"]
    first, second = net.fed([request + b"GET /x HTTP/1.1\nHost: a\n\n\r\n\r\n"]).answers
    assert first == answer
    assert second[0] == 400


def test_head_is_answered_without_a_body(net):
    """The length is the one a GET would have, and the next request is answered."""
    client = net.fed([b"HEAD /a HTTP/1.1\r\n" + HOST + b"\r\n" + GET])
    head, _, rest = client.text.partition(b"\r\n\r\n")
    assert b"content-length: 8" in head
    assert rest.startswith(b"HTTP/1.1 200")
    assert rest.endswith(NEXT[1])


def test_http_10_is_answered_and_closed(net):
    """An old client gets its answer and the end of the connection."""
    client = net.fed([b"GET /a HTTP/1.0\r\nHost: localhost\r\n\r\n" + GET])
    assert client.answers == [(200, b"GET /a ")]
    assert b"connection: close" in client.text.lower()


def test_close_is_obeyed(net):
    """Nothing behind a request with Connection: close is served."""
    application = net.Echo()
    client = net.fed([b"GET /a HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n" + GET], application)
    assert client.answers == [(200, b"GET /a ")]
    assert application.seen == [("GET", b"/a")]


def test_continue_is_said_when_the_body_is_awaited(net):
    """A client that waits for 100 gets it once, then its answer."""

    async def talk(client, connection):
        await client.send(b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.read()).startswith(b"HTTP/1.1 100 ")
        client.text = b""
        await client.send(b"hi" + GET)

    assert net.exchanged(net.Echo(), talk).answers == [(200, b"POST /a hi"), NEXT]


def test_continue_is_not_said_when_the_body_is_there(net):
    """Nobody waits for it then."""
    request = b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi"
    assert net.fed([request]).answers == [(200, b"POST /a hi")]


def test_continue_is_not_said_once_a_part_of_the_body_came(net):
    """A client that sent the first bytes unasked waits for nothing."""

    async def talk(client, connection):
        await client.send(b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\nh")
        await trio.testing.wait_all_tasks_blocked()
        await client.send(b"i" + GET)

    assert net.exchanged(net.Echo(), talk).answers == [(200, b"POST /a hi"), NEXT]


def test_continue_is_not_said_to_a_refused_request(net):
    """An answer without reading the body ends the connection: the body may or may not come."""
    request = b"POST /ignored HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    client = net.fed([request])
    assert client.answers == [(404, b"unread")]
    assert b"connection: close" in client.text


def test_an_unread_body_that_is_still_coming_ends_the_connection(net):
    """The answer arrives whole; what would be taken for the next request is read over, not served."""
    application = net.Echo()
    request = b"POST /ignored HTTP/1.1\r\n" + HOST + b"Content-Length: 100\r\n\r\n"
    client = net.fed([request, GET], application)
    assert client.answers == [(404, b"unread")]
    assert application.seen == [("POST", b"/ignored")]


def test_a_defect_ends_the_connection_and_is_reported_once(net):
    """No half answer, and the others are served on."""
    application = net.Echo()
    client = net.fed([b"GET /crash HTTP/1.1\r\n" + HOST + b"\r\n" + GET], application)
    assert client.text == b""
    assert [type(error) for error in application.crashes] == [ZeroDivisionError]


def test_the_application_is_told_of_every_byte_it_holds(net):
    """`hold` counts the whole body."""
    application = net.Echo()
    net.fed(by_byte(GOLDEN["chunked"][0]), application)
    assert application.held == 5


def test_a_body_over_the_limit_is_refused(net):
    """413, and the connection ends."""
    request = b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
    [(status, text)] = net.fed([request]).answers
    assert status == 413
    assert b"1 MiB" in text


def test_a_streamed_answer_is_chunked(net):
    """Without a length, an HTTP/1.1 client gets chunks, and the connection stays."""

    class Streaming(net.Echo):
        async def answer(self, connection, request):
            await connection.write(connection.frame_head(200, [(b"content-type", b"text/event-stream")]))
            assert connection.started
            await connection.write(connection.frame_data(b"data: 1\n\n"))
            await connection.write([*connection.frame_data(b"data: 2\n\n"), *connection.frame_end()])

    client = net.fed([GET + GET], Streaming())
    assert client.text.count(b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n") == 2
    assert b"content-length" not in client.text


def test_an_answer_that_was_not_finished_is_cut(net):
    """The client must not take it for whole: no end of chunks, and nothing after it."""

    class Half(net.Echo):
        async def answer(self, connection, request):
            await connection.write(connection.frame_head(200, []))
            await connection.write(connection.frame_data(b"half"))

    client = net.fed([GET + GET], Half())
    assert client.text.count(b"HTTP/1.1") == 1
    assert b"0\r\n\r\n" not in client.text


def hanging(net):
    """An application that waits for ever."""

    class Application(net.Echo):
        async def answer(self, connection, request):
            await trio.sleep_forever()

    return Application()


@pytest.mark.parametrize("leave", ["close", "abort", "half_close"])
def test_a_client_that_leaves_cuts_the_application_once(net, leave):
    """Whatever it was doing: it is cancelled at once, and told why."""

    async def talk(client, connection):
        await client.send(GET)
        client.leave(leave)
        before = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == before

    application = hanging(net)
    net.exchanged(application, talk)
    assert application.cuts == [CancelReason.CLIENT_GONE]


def test_a_client_that_left_before_it_was_heard_is_no_defect(net):
    """Request and end of stream at once: it is served and cut once, or not at all."""

    async def talk(client, connection):
        client.stream.try_send([GET])
        client.leave()

    application = hanging(net)
    net.exchanged(application, talk)
    assert application.cuts == [CancelReason.CLIENT_GONE] * len(application.seen)
    assert application.crashes == []


def test_a_client_that_leaves_between_requests_cuts_nothing(net):
    """An idle connection just ends."""

    async def talk(client, connection):
        await client.send(GET)
        await client.read()
        client.leave()

    application = net.Echo()
    net.exchanged(application, talk)
    assert application.cuts == []
    assert application.crashes == []


def test_what_is_read_ahead_is_bounded(net):
    """A client cannot fill our memory while its request is being served."""

    async def talk(client, connection):
        await client.send(GET)
        piece = b"x" * 65536
        sent = 0
        while not client.stream.try_send([piece]):
            sent += len(piece)
            await trio.testing.wait_all_tasks_blocked()
            assert sent < 1 << 23
        assert sent >= READ_AHEAD
        client.buffered = sent
        client.leave()

    client = net.exchanged(hanging(net), talk)
    # What the kernel holds for a socket pair comes on top.
    assert client.buffered < 2 * READ_AHEAD + (1 << 20)


def test_a_long_body_flows_though_the_read_ahead_is_bounded(net):
    """The reader goes on as the application takes."""

    async def talk(client, connection):
        size = 6 * READ_AHEAD
        await client.stream.send_all(b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size)
        await client.stream.send_all(b"y" * size + GET)

    answers = net.exchanged(net.Echo(), talk).answers
    assert answers == [(200, b"POST /a " + b"y" * 6 * READ_AHEAD), NEXT]
