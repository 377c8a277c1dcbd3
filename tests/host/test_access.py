"""Who may come in: foreign pages and Host names, clients without the key, and operators."""

import pytest

from router.errors import Forbidden, NotFound, Unauthenticated, UnsupportedMedia
from router.host.access import Gate, check_json, format_operator_error
from router.net.control.signatures import Place, compute_proof
from router.settings import Secret, load

KEY = Secret("fl-0123456789abcdef")
TOKEN = Secret("operator-token-0123456789")
HERE = Place("127.0.0.1", 3456)


def gate(key=None, **environ):
    return Gate(load({f"FAIRLEAD_{name}": value for name, value in environ.items()}, {}), key, TOKEN)


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:3456", "LOCALHOST:1", "127.0.0.1:3456", "[::1]:3456", "[::1]", "host.docker.internal:1"],
)
def test_this_machine_s_names_are_served(asked, host):
    """With and without a port, in any capitals; also the second time."""
    checked = gate()
    for _ in range(2):
        checked.check_browser(with_host(asked, host))


def with_host(asked, host):
    """A request with that Host alone."""
    request = asked()
    request.fields[b"host"] = host.encode()
    return request


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "evil.example:3456",
        "127.0.0.1.evil.example",
        "localhost:",
        "localhost:99999999",
        "localhost:80:80",
        "user@localhost",
        "[::1",
        "::1",
        "[::1].evil.example",
        "0.0.0.0",
        "localhost ",
        "loc\u00e4lhost",
        "192.168.1.5",
    ],
)
def test_other_hosts_are_refused(asked, host):
    """A foreign name that resolves to this machine gets nothing (DNS rebinding); nor does a malformed one."""
    request = asked()
    request.fields[b"host"] = host.encode()
    checked = gate()
    for _ in range(2):
        with pytest.raises(Forbidden, match="Host"):
            checked.check_browser(request)


def test_further_hosts_are_those_of_the_settings(asked):
    """allowed_hosts, and the address that is listened on; any-address names add nothing."""
    checked = gate(ALLOWED_HOSTS="box.lan, Other.Lan", HOST="192.168.1.5")
    for host in ("box.lan:3456", "OTHER.lan", "192.168.1.5:3456"):
        checked.check_browser(with_host(asked, host))
    with pytest.raises(Forbidden):
        checked.check_browser(with_host(asked, "third.lan"))
    with pytest.raises(Forbidden):
        gate(HOST="0.0.0.0").check_browser(with_host(asked, "0.0.0.0"))
    gate(HOST="::1").check_browser(with_host(asked, "[::1]:3456"))


def test_many_hosts_are_not_remembered_without_end(asked):
    """A client that sends ever new ports of a good name is served all the same."""
    checked = gate()
    for port in range(1, 500):
        checked.check_browser(with_host(asked, f"localhost:{port}"))
    assert len(checked._accepted_hosts) <= 64


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3456", "chrome-extension://abc", "", "vscode-file://x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
def test_unlisted_origins_are_refused(asked, origin, method):
    """On every verb: null, extensions, and pages of this very machine too."""
    with pytest.raises(Forbidden, match=r"(?i)origin"):
        gate().check_browser(asked(method, origin=origin))


@pytest.mark.parametrize(
    ("origin", "listed", "command"),
    [
        ("http://localhost:5173", "", "fairlead config set cors_origin http://localhost:5173"),
        (
            "https://b.example",
            "https://a.example",
            "fairlead config set cors_origin https://a.example,https://b.example",
        ),
        ("null", "", ""),
        ("https://x.example;rm -rf ~", "", ""),
        ("https://" + "x" * 200, "", ""),
    ],
)
def test_the_origin_is_named_with_the_command(asked, origin, listed, command):
    """With those that are allowed already, which the command would replace. One that is no origin is not repeated."""
    with pytest.raises(Forbidden) as caught:
        gate(CORS_ORIGIN=listed).check_browser(asked(origin=origin))
    assert (origin in caught.value.message) is bool(command)
    assert command in caught.value.message


def test_the_host_is_named_with_the_command(asked):
    """With the names that are allowed already."""
    with pytest.raises(Forbidden) as caught:
        gate(ALLOWED_HOSTS="box.lan").check_browser(with_host(asked, "other.lan:3456"))
    assert "fairlead config set allowed_hosts box.lan,other.lan" in caught.value.message


def test_a_listed_origin_passes(asked):
    """In any capitals, though its page is another site; others still do not."""
    checked = gate(CORS_ORIGIN="https://app.example")
    checked.check_browser(asked(origin="https://APP.example", sec_fetch_site="cross-site"))
    with pytest.raises(Forbidden):
        checked.check_browser(asked(origin="https://app.example.evil", sec_fetch_site="cross-site"))


@pytest.mark.parametrize(
    ("site", "passes"), [("none", True), ("same-origin", True), ("cross-site", False), ("same-site", False)]
)
def test_pages_of_other_sites_are_refused_without_an_origin_too(asked, site, passes):
    """An image or a form has no Origin, but says that another site's page made it."""
    if passes:
        gate().check_browser(asked(sec_fetch_site=site))
    else:
        with pytest.raises(Forbidden, match="Sec-Fetch-Site"):
            gate().check_browser(asked(sec_fetch_site=site))


def test_only_a_listed_origin_gets_cors_headers(asked):
    """Its own name back, never a star; without an Origin nothing."""
    checked = gate(CORS_ORIGIN="https://app.example")
    assert checked.make_cors_headers(asked()) == []
    assert checked.make_preflight_headers(asked("OPTIONS")) == []
    assert checked.make_cors_headers(asked(origin="https://evil.example")) == []
    lines = dict(checked.make_cors_headers(asked(origin="https://app.example")))
    assert lines == {b"access-control-allow-origin": b"https://app.example", b"vary": b"origin"}
    answer = dict(
        checked.make_preflight_headers(
            asked("OPTIONS", origin="https://app.example", access_control_request_headers="x-api-key")
        )
    )
    assert answer[b"access-control-allow-headers"] == b"x-api-key"
    assert b"access-control-allow-credentials" not in answer


@pytest.mark.parametrize(
    "fields",
    [
        {"x_fairlead_key": "{}"},
        {"x_api_key": "{}"},
        {"authorization": "Bearer {}"},
        {"authorization": "bearer  {}"},
        {"authorization": "{}"},
        {"x_fairlead_key": "{}", "authorization": "Bearer own-login"},
        {"x_api_key": "own", "authorization": "Bearer {}"},
        {"x_fairlead_key": "wrong", "x_api_key": "{}"},
    ],
)
def test_the_key_opens_by_any_of_three_headers(asked, fields):
    """Whatever stands in the others."""
    sent = {name: value.format(KEY.reveal()) for name, value in fields.items()}
    gate(KEY).check_key(asked(**sent))


def test_what_is_fairleads_own_is_known():
    """The key that is asked for, one that is set and not asked for, the operator token, and what stands for no key."""
    known = {KEY.reveal().encode(), b"fl-configured-0123456789", TOKEN.reveal().encode(), b"fairlead"}
    assert {*gate(KEY, API_KEY="fl-configured-0123456789").own} == known
    assert {*gate().own} == {TOKEN.reveal().encode(), b"fairlead"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"x_api_key": ""},
        {"x_api_key": KEY.reveal()[:-1]},
        {"authorization": "Basic " + KEY.reveal()},
        {"cookie": KEY.reveal()},
        {"api_key": KEY.reveal()},
        {"x_api_key": "\xe4\xf6"},
        {"authorization": "Bearer"},
    ],
)
def test_without_the_key_nothing_opens(asked, fields):
    """401, telling how to get it and not what it is."""
    with pytest.raises(Unauthenticated) as caught:
        gate(KEY).check_key(asked(**{name: value.encode("latin-1") for name, value in fields.items()}))
    assert KEY.reveal() not in caught.value.message
    assert "fairlead env" in caught.value.message


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "requires a client key"),
        ({"authorization": "Bearer"}, "requires a client key"),
        ({"x_api_key": "sk-proj-1"}, "the key in x-api-key is another one"),
        ({"x_api_key": "sk-proj-1", "authorization": "Bearer 2"}, "the key in x-api-key and authorization is another"),
    ],
)
def test_a_wrong_key_is_not_a_missing_one(asked, fields, text):
    """The header is named in which it came, and the key is not repeated."""
    with pytest.raises(Unauthenticated) as caught:
        gate(KEY).check_key(asked(**fields))
    assert text in caught.value.message
    assert "sk-proj" not in caught.value.message


def test_without_a_key_everyone_may_call(asked):
    """With any credential of their own, or with none."""
    gate().check_key(asked(x_api_key="own"))
    gate().check_key(asked())


def test_operators_hold_the_token(asked):
    """The client key is none, nor is nothing."""
    checked = gate(KEY)
    checked.check_operator(asked(authorization="Bearer " + TOKEN.reveal()), HERE)
    for fields in ({}, {"authorization": "Bearer " + KEY.reveal()}, {"x_api_key": TOKEN.reveal()}):
        with pytest.raises(Unauthenticated) as caught:
            checked.check_operator(asked(**fields), HERE)
        assert TOKEN.reveal() not in caught.value.message


def proven(checked, nonce, place=HERE):
    fields = dict(checked.prove(nonce, place))
    return fields[b"x-fairlead-proof"], fields[b"x-fairlead-process"].decode()


def test_a_listener_proves_that_it_holds_the_token():
    """The proof depends on nonce, token, address, port and process, and shows no secret."""
    checked = gate(KEY)
    proof, process = proven(checked, b"nonce")
    assert proof == compute_proof(TOKEN, HERE, process, b"nonce", None)
    assert len(proof) == 64
    assert TOKEN.reveal().encode() not in proof
    others = [
        proven(checked, b"other")[0],
        proven(checked, b"nonce", Place("127.0.0.1", 3457))[0],
        proven(checked, b"nonce", Place("::1", 3456))[0],
        proven(gate(KEY), b"nonce")[0],
        compute_proof(Secret("another-token"), HERE, process, b"nonce", None),
    ]
    assert len({proof, *others}) == 6


def test_the_proof_may_cover_the_client_key():
    """For a nonce that asks for it, a command learns which of the keys it knows is asked for, or that none is."""
    proof, process = proven(gate(KEY), b"key-nonce")
    assert proof == compute_proof(TOKEN, HERE, process, b"key-nonce", KEY)
    for key in (None, Secret("fl-other")):
        assert proof != compute_proof(TOKEN, HERE, process, b"key-nonce", key)
    proof, process = proven(gate(), b"key-nonce")
    assert proof == compute_proof(TOKEN, HERE, process, b"key-nonce", None)


def test_bound_addresses_are_served_as_hosts(asked):
    """What is announced is an address where the host is a name; a name that leads here is served only when listed."""
    checked = Gate(
        load({"FAIRLEAD_HOST": "box.lan"}, {}), None, TOKEN, bound=("192.168.1.5",), url="http://192.168.1.5:1"
    )
    for host in ("192.168.1.5:1", "box.lan:1"):
        checked.check_browser(with_host(asked, host))
    with pytest.raises(Forbidden, match=r"Use http://192\.168\.1\.5:1"):
        checked.check_browser(with_host(asked, "192.168.1.6:1"))
    with pytest.raises(Forbidden):
        Gate(load({}, {}), None, TOKEN, bound=("0.0.0.0", "::1")).check_browser(with_host(asked, "0.0.0.0"))


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.x+json"]
)
def test_json_is_json(asked, kind):
    """With parameters and in any capitals."""
    assert check_json(asked("POST", content_type=kind), allow_uploads=False) is True


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/json", "text/plain, a/json"],
)
@pytest.mark.parametrize("others", [False, True])
def test_what_a_page_may_send_unasked_is_refused(asked, kind, others):
    """415: forms and text go anywhere without the browser asking first."""
    with pytest.raises(UnsupportedMedia):
        check_json(asked("POST", content_type=kind), allow_uploads=others)


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/octet-stream"])
def test_uploads_pass_where_they_belong(asked, kind):
    """On other paths, as what is not JSON; on paths of a model never."""
    assert check_json(asked("POST", content_type=kind), allow_uploads=True) is False
    with pytest.raises(UnsupportedMedia):
        check_json(asked("POST", content_type=kind), allow_uploads=False)


def test_errors_on_own_endpoints_are_plain_json():
    """Type and message."""
    assert format_operator_error(NotFound("no")) == {"error": {"type": "not_found_error", "message": "no"}}


def test_the_token_for_metrics_reads_them(asked):
    """It opens what is for it and nothing of the operator's; the operator token opens both; a reload changes it."""
    metrics = Secret("m" * 32)
    checked = Gate(load({}, {}), None, TOKEN, metrics_token=metrics)
    own, operators = (asked("GET", "/metrics", authorization="Bearer " + one.reveal()) for one in (metrics, TOKEN))
    checked.check_metrics(own, HERE)
    checked.check_metrics(operators, HERE)
    with pytest.raises(Unauthenticated):
        checked.check_operator(own, HERE)
    assert metrics.reveal().encode() in checked.own
    checked.apply(load({}, {}), None)
    checked.check_metrics(operators, HERE)
    for request in (own, asked("GET", "/metrics")):
        with pytest.raises(Unauthenticated):
            checked.check_metrics(request, HERE)


@pytest.mark.parametrize(
    ("host", "arrived", "served"),
    [
        ("10.1.2.3:3456", "10.1.2.3", True),
        ("10.1.2.3", "::ffff:10.1.2.3", True),
        ("[fd00::1]:3456", "fd00::1", True),
        ("10.1.2.4:3456", "10.1.2.3", False),
        ("evil.example", "10.1.2.3", False),
        ("10.1.2.3.evil.example", "10.1.2.3", False),
        ("", "", False),
    ],
)
def test_the_address_that_a_request_came_to_is_served(asked, host, arrived, served):
    """Probes and Prometheus in a cluster have no name for a pod; no name is served by it, and no other address."""
    checked, request = gate(HOST="0.0.0.0"), with_host(asked, host)
    for _ in range(2):
        if served:
            checked.check_browser(request, lambda: (arrived, 3456))
        else:
            with pytest.raises(Forbidden):
                checked.check_browser(request, lambda: (arrived, 3456))


def test_an_address_is_served_only_where_it_arrived(asked):
    """A Host that was the address of one connection is refused on a connection to another address."""
    checked, request = gate(HOST="0.0.0.0"), with_host(asked, "10.1.2.3:3456")
    checked.check_browser(request, lambda: ("10.1.2.3", 3456))
    with pytest.raises(Forbidden):
        checked.check_browser(request, lambda: ("10.1.2.4", 3456))
    checked.check_browser(request, lambda: ("10.1.2.3", 3456))
