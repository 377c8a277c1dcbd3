"""Listening sockets that another process hands over."""

import os
import socket

import pytest

from router.net.server.listen import adopt_port, hold_port

from ...patience import PATIENCE


def handed(listeners):
    """Descriptors of the same sockets, as another process would inherit them."""
    return [os.dup(listener.fileno()) for listener in listeners]


@pytest.fixture
def held():
    listeners = hold_port("localhost", 0)
    yield listeners
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("fixed", [False, True])
def test_the_same_port_is_adopted(held, host, fixed):
    """Sockets of this host and port, or of any port where none is set, go on to listen; they stay exclusive."""
    port = held[0].getsockname()[1]
    adopted = adopt_port(handed(held), host, port if fixed else 0)
    assert adopted is not None
    for one in held:
        one.close()
    with pytest.raises(OSError, match=r"in use"):
        hold_port(host, port)
    for one in adopted:
        assert not one.get_inheritable()
        with socket.create_connection(one.getsockname()[:2], timeout=PATIENCE):
            pass
        one.close()


@pytest.mark.parametrize(("host", "off"), [("localhost", 1), ("::1", 0), ("0.0.0.0", 0)])
def test_another_place_is_not(held, host, off):
    """Where the settings say another host or port, nothing is adopted, and the descriptors are closed."""
    given = handed(held)
    assert adopt_port(given, host, held[0].getsockname()[1] + off) is None
    for descriptor in given:
        with pytest.raises(OSError, match=r"[Bb]ad file"):
            os.fstat(descriptor)


def test_what_does_not_listen_is_not(held):
    """A socket that is bound and does not listen, or a file, is refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match=r"no listening socket"):
            adopt_port([os.dup(bound.fileno())], "127.0.0.1", 0)
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(OSError, match=r"no listening socket"):
        adopt_port([os.dup(datagrams.fileno())], "127.0.0.1", 0)
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.raises(OSError, match=r"socket"):
        adopt_port([reading], "127.0.0.1", 0)
    os.close(reading)
