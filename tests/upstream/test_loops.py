"""A backend that leads to this proxy is known by address and port; another fairlead is a backend like others."""

import pytest

from router.backends import Backend
from router.upstream import loops
from router.upstream.loops import find_loop

LOOPBACK = [("127.0.0.1", 3456), ("::1", 3456)]
ALL = [("0.0.0.0", 3456)]


@pytest.mark.parametrize(
    ("root", "listening", "loops_back"),
    [
        ("http://localhost:3456/v1", LOOPBACK, True),
        ("http://api.localhost:3456/v1", LOOPBACK, True),
        ("http://127.0.0.1:3456/v1", LOOPBACK, True),
        ("http://[::1]:3456/v1", LOOPBACK, True),
        ("http://[::ffff:127.0.0.1]:3456/v1", LOOPBACK, True),
        ("http://0.0.0.0:3456/v1", LOOPBACK, True),
        ("http://localhost:3457/v1", LOOPBACK, False),
        ("http://127.0.0.2:3456/v1", LOOPBACK, False),
        ("http://10.0.0.7:3456/v1", LOOPBACK, False),
        ("https://up.example:3456/v1", LOOPBACK, False),
        ("http://localhost/v1", [("127.0.0.1", 80)], True),
        ("https://localhost/v1", [("127.0.0.1", 443)], True),
        ("http://localhost:3456/v1", ALL, True),
        ("http://10.0.0.7:3456/v1", ALL, True),
        ("http://box:3456/v1", ALL, True),
        ("http://10.0.0.8:3456/v1", ALL, False),
        ("http://10.0.0.7:3456/v1", [("10.0.0.7", 3456)], True),
        ("http://localhost:3456/v1", [("10.0.0.7", 3456)], False),
        ("http://localhost:3456/v1", [], False),
    ],
)
def test_what_leads_back(monkeypatch, root, listening, loops_back):
    """By the addresses that it listens on, on a machine named box at 10.0.0.7."""
    monkeypatch.setattr(loops, "find_local_addresses", lambda: ("10.0.0.7", ""))
    monkeypatch.setattr(loops.socket, "gethostname", lambda: "Box")
    gap = find_loop(Backend(name="up", root=root, protocols=("chat",)), listening)
    assert (gap is not None) is loops_back
    if gap is not None:
        assert str(gap) == f"up points to this proxy itself ({root}): `fairlead backend set up --base-url URL`."
