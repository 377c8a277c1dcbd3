"""Descriptors: errors that say that none is left, and the reserve for then."""

import errno
import os
import socket
import subprocess
import sys

import pytest

from router.net import descriptors
from router.net.addresses import find_local_addresses
from router.net.descriptors import Reserve, is_exhaustion


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (OSError(errno.EMFILE, "too many"), True),
        (OSError(errno.ENFILE, "too many"), True),
        (OSError(errno.ECONNREFUSED, "no"), False),
        (ValueError(), False),
        (None, False),
        (ExceptionGroup("", [ConnectionRefusedError(), OSError(errno.EMFILE, "too many")]), True),
        (ExceptionGroup("", [ConnectionRefusedError()]), False),
    ],
)
def test_which_errors_say_so(error, wanted):
    """Those of this process and of the whole system, alone or among others."""
    assert is_exhaustion(error) is wanted


def test_the_count_follows():
    """What is opened is counted, where the system tells."""
    before = descriptors.count_open()
    if before is None:
        pytest.skip("the system does not tell")
    with socket.socket():
        assert descriptors.count_open() == before + 1
    assert descriptors.count_open() == before


def test_a_reserve_gives_and_takes_back():
    """One by one until there is none; filled again, it is as before, and closed it holds nothing."""
    before = descriptors.count_open()
    reserve = Reserve(2)
    assert not reserve.low
    assert [reserve.free_one() for _ in range(3)] == [True, True, False]
    assert reserve.low
    reserve.fill()
    assert not reserve.low
    reserve.close()
    assert descriptors.count_open() == before


PROGRAM = """
import os, resource, socket
from router.net import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
reserve = descriptors.Reserve(2)
held = []
try:
    while True:
        held.append(socket.socket())
except OSError as error:
    assert descriptors.is_exhaustion(error)
assert not descriptors.has_free()
assert descriptors.count_open() == descriptors.get_limit() == 32
assert reserve.free_one()
assert descriptors.has_free()
taken = socket.socket()
reserve.fill()
assert reserve.low
taken.close()
reserve.fill()
assert not reserve.low
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_with_none_left():
    """It is noticed and counted; the reserve frees one for the next who opens, and gets it back when it is closed."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], check=False, capture_output=True, text=True)
    assert done.stdout == "done\n", done.stderr


def test_local_addresses():
    """One of each family or none; asking twice gives the same, and leaves nothing open."""
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    assert find_local_addresses() == find_local_addresses()
    assert len(find_local_addresses()) == 2
    assert before == (len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0)
