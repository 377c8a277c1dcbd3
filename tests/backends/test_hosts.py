"""How a host is written, and how near it is: what http:// and link-local addresses are judged by, everywhere alike."""

import ipaddress
import socket

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.backends.hosts import clean_host, find_nearness, is_link_local
from router.backends.known import KNOWN, api_root, find_risk, host_of
from router.settings.proxies import parse_proxy_address


@pytest.mark.parametrize(
    ("host", "cleaned"),
    [
        ("API.Example", "api.example"),
        ("api.example.", "api.example."),
        ("under_score.example", "under_score.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("10.0.0.7", "10.0.0.7"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("FE80::1%En0", "fe80::1%En0"),
        ("3com.example", "3com.example"),
    ],
)
def test_a_host_is_cleaned(host, cleaned):
    """Lower case, without brackets; the name of an interface keeps its capitals."""
    assert clean_host(host) == cleaned


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1%x.evil.example",
        "127.0.0.1%",
        "localhost%00.evil.example",
        "%31%30.0.0.1",
        "evil.example%2f",
        "::1%lo",
        "2001:db8::1%eth0",
        "fe80::1%",
        "fe80::1%eth0/x",
        "::ffff:10.0.0.1%x",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "127.1",
        "010.0.0.1",
        "10.0.0.256",
        "10.0.0.1.",
        "1.2.3.4.5",
        "a..b",
        "a b",
        "a,b",
        "a;b",
        "a" * 64 + ".example",
        "",
        ".",
    ],
)
def test_a_host_in_another_spelling_is_refused(host):
    """A resolver may read it as an address that the eye does not see, or as a name where it looks like an address."""
    with pytest.raises(ValueError, match="its host"):
        clean_host(host)


@pytest.mark.parametrize("host", ["10.0.0.1%x.evil.example", "2852039166", "0x7f.1", "[::1%lo]", "a,b"])
def test_backends_and_proxies_read_hosts_alike(host):
    """A base URL and the address of an upstream proxy have one grammar."""
    with pytest.raises(ValueError, match="its host"):
        api_root(f"https://{host}/v1")
    with pytest.raises(ValueError, match="its host"):
        parse_proxy_address(f"http://{host}:3128")


@pytest.mark.parametrize(
    ("host", "nearness"),
    [
        ("localhost", "here"),
        ("models.localhost.", "here"),
        ("127.8.8.8", "here"),
        ("[::1]", "here"),
        ("0.0.0.0", "here"),
        ("::", "here"),
        ("::ffff:127.0.0.1", "here"),
        ("172.16.0.1", "private"),
        ("172.32.0.1", "public"),
        ("fd12::1", "private"),
        ("nas.local", "private"),
        ("host.docker.internal", "private"),
        ("::ffff:192.168.0.1", "private"),
        ("64:ff9b::10.0.0.1", "public"),
        ("100.64.0.1", "public"),
        ("240.0.0.1", "public"),
        ("255.255.255.255", "public"),
        ("192.0.2.1", "public"),
        ("198.18.0.1", "public"),
        ("0.1.2.3", "public"),
        ("fec0::1", "public"),
        ("ff02::1", "public"),
        ("fd12::1%eth0", "public"),
        ("169.254.0.1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("metadata.google.internal", "link-local"),
        ("Metadata.Google.Internal.", "link-local"),
        ("fd00:ec2::254", "link-local"),
        ("100.100.100.200", "link-local"),
        ("nas.local.evil.example", "public"),
        ("notmetadata", "public"),
    ],
)
def test_how_near_a_host_is(host, nearness):
    """Private is what is really private; link-local comes before it."""
    assert find_nearness(host) == nearness


@pytest.mark.parametrize(
    ("root", "risk"),
    [
        ("https://api.example/v1", ""),
        ("http://api.example/v1", "http"),
        ("http://100.64.0.1/v1", "http"),
        ("http://10.0.0.1/v1", ""),
        ("https://169.254.169.254/v1", "link-local"),
        ("http://[fe80::1%eth0]/v1", "link-local"),
    ],
)
def test_what_needs_permission(root, risk):
    """http:// to what is not private, and link-local addresses over https:// too."""
    assert find_risk(root) == risk


@pytest.mark.parametrize("entry", KNOWN.values(), ids=KNOWN)
def test_no_known_provider_needs_permission(entry):
    """The table of known providers is judged as users' URLs are."""
    assert all(find_risk(root) == "" for root in (entry.root, *entry.other_roots))


ADDRESSES = st.ip_addresses() | st.builds(ipaddress.IPv4Address, st.integers(0xA9FE0000, 0xA9FEFFFF))
SPELLINGS = st.sampled_from(
    [
        str,
        lambda one: one.exploded,
        lambda one: str(one).upper(),
        lambda one: str(int(one)),
        lambda one: hex(int(one)),
        lambda one: ".".join(oct(part).replace("0o", "0") for part in one.packed),
        lambda one: f"::ffff:{one}",
        lambda one: f"{one}.",
        lambda one: f"{one}%eth0",
        lambda one: f"{one}%x.example",
    ]
)


@given(ADDRESSES, SPELLINGS)
@example(ipaddress.IPv4Address("169.254.169.254"), lambda one: str(int(one)))
def test_what_the_system_reads_as_an_address_is_judged_by_it(address, spell):
    """Whatever spelling is accepted, the system's own reading of it is as near as was judged."""
    text = spell(address)
    root = f"https://[{text}]/v1" if ":" in text else f"https://{text}/v1"
    try:
        host = host_of(api_root(root))
    except ValueError:
        return
    try:
        read = socket.getaddrinfo(host.partition("%")[0], 80, flags=socket.AI_NUMERICHOST)[0][4][0]
    except socket.gaierror:
        read = ""
    assert (find_nearness(host) == "link-local") == is_link_local(str(read) if read else host)
    assert not read or ipaddress.ip_address(str(read).partition("%")[0]) == ipaddress.ip_address(host.partition("%")[0])
