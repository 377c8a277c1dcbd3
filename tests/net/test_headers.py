"""Which header fields travel, in both directions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.net.headers import (
    apply_changes,
    drop_controls,
    encode_value,
    filter_request,
    filter_response,
    index_by_name,
    is_editable,
    parse_connection,
    to_lines,
)
from router.settings.fields import check_header_name
from router.settings.kinds import InvalidValue

HOP_BY_HOP = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"expect",
    b"http2-settings",
]
NEVER_SENT = [
    *HOP_BY_HOP,
    b"host",
    b"content-length",
    b"cookie",
    b"cookie2",
    b"traceparent",
    b"tracestate",
    b"baggage",
    b"proxy-authorization",
    b"forwarded",
    b"via",
    b"origin",
    b"referer",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-anything",
    b"x-real-ip",
    b"x-fairlead-key",
    b"x-fairlead-anything",
    b"sec-fetch-site",
    b"sec-websocket-protocol",
]
# What others call a credential; a configured header may have such a name.
NAMED_CREDENTIALS = [
    b"x-openai-api-key",
    b"openai_api_key",
    b"apikey",
    b"ocp-apim-subscription-key",
    b"x-functions-key",
    b"helicone-auth",
    b"cf-aig-authorization",
    b"cf-access-client-secret",
    b"cf-access-jwt-assertion",
    b"x-auth-token",
    b"token",
    b"x-gateway-password",
    b"x-client-credentials",
]
# What makes some servers serve another method, path or host; CGI and WSGI servers take `_` for `-`.
OVERRIDING = [
    *(b"x-http-method-override", b"x-http-method", b"x-method-override", b"x_http_method_override", b"_method"),
    *(b"x-original-url", b"x-original-uri", b"x-original-method", b"x-original-host", b"x-rewrite-url", b"x-host"),
    *(b"x-http-path-override", b"x-http-host-override", b"x-envoy-original-path", b"x-middleware-subrequest"),
]
# Who is behind fairlead, as proxies in front of it say it; and spellings of names that are never sent.
CALLER = [
    *(b"true-client-ip", b"x-client-ip", b"cf-connecting-ip", b"x-forwarded", b"x-auth-request-email", b"remote-user"),
    *(b"x-amzn-oidc-data", b"x-ms-client-principal", b"tailscale-user-login", b"x-forwarded_for", b"x_forwarded_for"),
    *(
        b"x_real_ip",
        b"proxy_authorization",
        b"transfer_encoding",
        b"content_length",
        b"x_fairlead_key",
        b"sec_fetch_site",
    ),
]
CREDENTIALS = [b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"]
NEVER_RELAYED = [
    *HOP_BY_HOP,
    b"content-length",
    b"set-cookie",
    b"set-cookie2",
    b"access-control-allow-origin",
    b"access-control-anything",
    b"alt-svc",
    b"strict-transport-security",
    b"clear-site-data",
    b"refresh",
    b"report-to",
    b"reporting-endpoints",
    b"nel",
    b"x-fairlead-backend",
    b"content-security-policy",
    b"x-content-type-options",
    b"cross-origin-resource-policy",
]
PASSING = [
    b"anthropic-version",
    b"anthropic-beta",
    b"user-agent",
    b"x-stainless-lang",
    b"content-type",
    b"accept",
    b"x-request-id",
    b"x-forwarde",
    b"xx-fairlead-a",
    b"retry-after",
    b"server",
    b"idempotency-key",
    b"x-token-count",
    b"author",
    b"x-monkey",
    b"x-secretary",
]


def spelling(name):
    """A name in some mixture of capitals."""
    return st.lists(st.booleans(), min_size=len(name), max_size=len(name)).map(
        lambda ups: bytes(byte - 32 if up and 97 <= byte <= 122 else byte for byte, up in zip(name, ups, strict=True))
    )


def fields(names):
    """Fields as a head holds them."""
    pair = st.tuples(st.sampled_from(names).flatmap(spelling), st.sampled_from([b"", b"a", b"gzip, br", b"x y"]))
    return st.lists(pair, max_size=14).map(to_lines)


def sent(lines, *, drop=frozenset(), keep=frozenset(), identity=True):
    return filter_request(lines, host=b"up.example", drop=drop, keep=keep, identity=identity)


@settings(max_examples=200)
@given(fields([*PASSING, *NEVER_SENT, *CREDENTIALS, *NAMED_CREDENTIALS, b"accept-encoding", b"dropped"]), st.booleans())
def test_a_request_goes_upstream_in_order_and_as_spelled(lines, identity):
    """Host comes first and is the upstream's; of the caller's own, nothing of the lists passes, all else as it came."""
    out = sent(lines, drop=frozenset((b"dropped",)), identity=identity)
    assert out[0] == (b"Host", b"host", b"up.example")
    stopped = {*NEVER_SENT, *CREDENTIALS, *NAMED_CREDENTIALS, b"dropped"}
    kept = [line for line in lines if line[1] not in stopped]
    coding = b"accept-encoding"
    if identity:
        assert [line for line in out[1:] if line[1] != coding] == [line for line in kept if line[1] != coding]
    else:
        assert out[1:] == kept


@settings(max_examples=100)
@given(fields([*PASSING, b"accept-encoding"]))
def test_an_answer_without_coding_is_asked_for_once(lines):
    """Exactly one accept-encoding, identity, where the caller had its first."""
    out = sent(lines)
    assert [line[2] for line in out if line[1] == b"accept-encoding"] == [b"identity"]
    names = [line[1] for line in lines]
    if b"accept-encoding" in names:
        assert out[names.index(b"accept-encoding") + 1][1] == b"accept-encoding"


@pytest.mark.parametrize("name", CREDENTIALS)
def test_the_callers_credential_passes_only_when_kept(name):
    """auth=client keeps it, as it was spelled; everything else stops it."""
    lines = to_lines([(name.title(), b"secret")])
    assert name not in index_by_name(sent(lines))
    assert sent(lines, keep=frozenset((name,)))[1] == lines[0]


@pytest.mark.parametrize("name", NAMED_CREDENTIALS)
def test_other_names_of_credentials(name):
    """They go to nobody, whatever stands in front; the user may set them for a backend."""
    assert index_by_name(sent(to_lines([(name, b"secret"), (b"x-" + name, b"secret")]), identity=False)).keys() == {
        b"host"
    }
    assert is_editable(name)


@pytest.mark.parametrize("name", OVERRIDING + CALLER)
def test_what_changes_a_request_or_tells_its_caller_is_not_sent(name):
    """A method, path or host of a header was not judged; the caller is fairlead's to know."""
    assert index_by_name(sent(to_lines([(name.title(), b"DELETE")]), identity=False)).keys() == {b"host"}


@pytest.mark.parametrize("name", OVERRIDING)
def test_no_edit_sets_what_changes_a_request(name):
    """Neither config.toml nor a rule."""
    assert not is_editable(name)
    with pytest.raises(InvalidValue, match="another request"):
        check_header_name(name.decode())


@pytest.mark.parametrize("name", [b"cookie", b"proxy-authorization", b"x-forwarded-for", b"x-fairlead-key"])
def test_nothing_else_can_be_dropped_twice(name):
    """A name in `drop` beside the lists changes nothing for what never passes."""
    assert sent(to_lines([(name, b"x")]), drop=frozenset((name,)), identity=False) == sent([], identity=False)


@settings(max_examples=200)
@given(fields([*PASSING, *NEVER_RELAYED]))
def test_an_answer_is_relayed_in_order_and_as_spelled(lines):
    """Nothing of the lists reaches the client, all else does."""
    assert filter_response(lines, drop=(b"server",)) == [
        line for line in lines if line[1] not in {*NEVER_RELAYED, b"server"}
    ]


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Content-Type", "content-encoding", "authorization", "X-Api-Key", "api-key"]
)
def test_a_connection_field_cannot_remove_what_a_message_needs(name):
    """Host, length, type and credentials stay, however they are listed; others go."""
    assert parse_connection(f"close, {name} ,x-own".encode()) == {b"close", b"x-own"}
    assert parse_connection(name.upper().encode()) == frozenset()


@settings(max_examples=200)
@given(st.text(max_size=200) | st.text("aé中\U0001f600%\n\x7f", max_size=400), st.sampled_from([256, 1024]))
def test_a_shown_value_is_short_plain_text(value, limit):
    """It fits a header field whatever it was, and is itself where it was plain."""
    text = encode_value(value, limit)
    assert len(text) <= limit
    assert all(0x20 <= byte < 0x7F for byte in text)
    if value.isascii() and value.isprintable() and len(value) <= limit and not set(value) & set('"%\\'):
        assert text == value.encode()


def test_the_first_value_counts():
    """Of two fields with one name."""
    assert index_by_name(to_lines([(b"A", b"1"), (b"a", b"2"), (b"B", b"3")])) == {b"a": b"1", b"b": b"3"}


def test_changed_headers_keep_their_places():
    """A set one stands where its first stood, else at the end; a removed one is gone wherever it stood."""
    lines = to_lines([(b"A", b"1"), (b"b", b"2"), (b"a", b"3"), (b"C", b"4")])
    new = (b"X-A", b"a", b"9")
    changes = {b"a": new, b"c": None, b"d": (b"D", b"d", b"5"), b"e": None}
    assert apply_changes(lines, changes) == [new, (b"b", b"b", b"2"), (b"D", b"d", b"5")]
    assert apply_changes(lines, {}) == lines


@pytest.mark.parametrize("name", [b"anthropic-beta", b"user-agent", b"x-title", b"accept", b"openai-organization"])
def test_headers_that_may_be_changed(name):
    """What is the caller's to say."""
    assert is_editable(name)


@pytest.mark.parametrize(
    "name",
    [
        b"metadata",
        b"metadata-flavor",
        b"x-google-metadata-request",
        b"x-aws-ec2-metadata-token",
        b"x-aws-ec2-metadata-token-ttl-seconds",
    ],
)
def test_what_a_metadata_service_asks_for_goes_nowhere(name):
    """A caller cannot have fairlead ask for a machine's credentials; nor does a configured edit."""
    lines = [(name, name, b"true"), (b"X-Meta", b"x-meta", b"1")]
    sent = filter_request(lines, host=b"h", drop=frozenset(), keep=frozenset(), identity=False)
    assert [line[1] for line in sent] == [b"host", b"x-meta"]
    assert not is_editable(name)


def test_control_characters_are_dropped_with_their_values():
    """A clean head is left as it is; else the reason loses the characters, and a field that holds one goes whole."""
    lines = to_lines([(b"x-one", b"a\tb"), (b"x-two", b"c")])
    assert drop_controls(b"OK", lines) == (b"OK", lines)
    assert drop_controls(b"O\x1bK", lines) == (b"OK", lines)
    assert drop_controls(b"OK", [*lines, (b"x-red", b"x-red", b"\x1b[31m")]) == (b"OK", lines)
    assert drop_controls(b"O\x7fK", []) == (b"OK", [])
