"""The URLs of a proxy: of what is bound and nothing else."""

import itertools

import pytest

from router.net import loopback
from router.net.loopback import find_companion, list_literal_urls, make_url, normalize, predict_url


@pytest.mark.parametrize(
    ("host", "bound", "url"),
    [
        ("localhost", ("127.0.0.1", "::1"), "http://localhost:1"),
        ("LOCALHOST", ("127.0.0.1", "::1"), "http://localhost:1"),
        ("localhost", ("127.0.0.1",), "http://127.0.0.1:1"),
        ("127.0.0.1", ("127.0.0.1", "::1"), "http://127.0.0.1:1"),
        ("::1", ("::1", "127.0.0.1"), "http://[::1]:1"),
        ("0.0.0.0", ("0.0.0.0", "::1"), "http://127.0.0.1:1"),
        ("::", ("::", "127.0.0.1"), "http://[::1]:1"),
        ("127.0.0.2", ("127.0.0.2",), "http://127.0.0.2:1"),
        ("192.168.1.5", ("192.168.1.5",), "http://192.168.1.5:1"),
        ("box.lan", ("192.168.1.5",), "http://192.168.1.5:1"),
        ("2001:db8::1", ("2001:db8::1",), "http://[2001:db8::1]:1"),
    ],
)
def test_only_what_is_bound_is_announced(host, bound, url):
    """A name only where all its addresses are bound; an any-address by the loopback address it covers."""
    assert make_url(host, bound, 1) == url


def test_every_address_of_every_url_is_bound():
    """Whatever the host, and whatever could be bound: no URL leads to an address that is not held."""
    hosts = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "127.0.0.2", "10.0.0.1", "fd00::1")
    for host, companion in itertools.product(hosts, (True, False)):
        own = "127.0.0.1" if host == "localhost" else host
        other = loopback._COMPANIONS.get(own) if companion else None
        bound = [own, *([other] if other else [])]
        covered = {*bound, *(loopback._REACHED_AT[one] for one in bound if one in loopback._REACHED_AT)}
        for url in list_literal_urls(make_url(host, bound, 1)):
            assert url.removeprefix("http://").removesuffix(":1").strip("[]") in covered, (host, url)


def test_predicted_url_is_the_one_of_a_start():
    """Before a proxy runs, tools are pointed at what it will announce."""
    both = find_companion("127.0.0.1") is not None
    assert predict_url("localhost", 7) == ("http://localhost:7" if both else "http://127.0.0.1:7")
    assert predict_url("127.0.0.1", 7) == predict_url("0.0.0.0", 7) == "http://127.0.0.1:7"
    assert predict_url("[::1]", 7) == predict_url("0:0:0:0:0:0:0:1", 7) == predict_url("::", 7) == "http://[::1]:7"
    assert predict_url("box.lan", 7) == "http://box.lan:7"


def test_name_stands_for_both_addresses():
    """Commands dial addresses, so that they know whom they reached."""
    assert list_literal_urls("http://localhost:7") == ("http://127.0.0.1:7", "http://[::1]:7")
    assert list_literal_urls("http://[::1]:7") == ("http://[::1]:7",)
    assert list_literal_urls("http://0.0.0.0:7") == ("http://127.0.0.1:7",)


def test_addresses_have_one_spelling():
    """Both sides of a proof write an address alike."""
    assert normalize("0:0:0:0:0:0:0:1") == "::1"
    assert normalize("fe80::1%eth0") == "fe80::1"
    assert normalize("box.lan") == "box.lan"
