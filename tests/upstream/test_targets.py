"""Backends as targets: where each is reached, with which credentials and headers, within which times."""

import msgspec
import pytest

from router.errors import Unauthenticated
from router.settings import Settings, load
from router.settings.proxies import parse_proxy_address
from router.settings.tables import BackendOptions, Edits

from .runtimes import KEY, backend, target


@pytest.mark.parametrize(
    ("root", "origin", "host", "prefix"),
    [
        ("https://up.example/v1", "https://up.example:443", b"up.example", b"/v1"),
        ("https://up.example:8443/api/v1", "https://up.example:8443", b"up.example:8443", b"/api/v1"),
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434", b"127.0.0.1:11434", b"/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080", b"[::1]:8080", b"/v1"),
        ("https://up.example", "https://up.example:443", b"up.example", b""),
    ],
)
def test_a_root_becomes_origin_host_and_prefix(made, root, origin, host, prefix):
    """The address to connect to, the Host header, and the prefix of each path."""
    found = target(made(backend(root=root)))
    assert (str(found.origin), found.host, found.prefix) == (origin, host, prefix)


@pytest.mark.parametrize(
    ("vendor", "protocols", "auth"),
    [
        ("openai", ("chat", "responses"), (b"Authorization", b"authorization", b"Bearer " + KEY.encode())),
        ("anthropic", ("messages",), (b"X-Api-Key", b"x-api-key", KEY.encode())),
        ("", ("messages",), (b"X-Api-Key", b"x-api-key", KEY.encode())),
        ("", ("messages", "chat"), (b"Authorization", b"authorization", b"Bearer " + KEY.encode())),
    ],
)
def test_a_key_goes_in_its_vendor_s_header(made, vendor, protocols, auth):
    """The one key that is sent is the account's."""
    found = target(made(backend(vendor=vendor, protocols=protocols)))
    assert found.auth == auth
    assert found.account == "main"
    found.check()


@pytest.mark.parametrize("mode", ["client", "none"])
def test_without_a_key_of_ours_no_header_is_added(made, mode):
    """Neither where the caller's credential passes nor where none is needed."""
    found = target(made(backend(auth=mode, key="", vendor="openai")))
    assert found.auth is None
    assert found.problem is None


@pytest.mark.parametrize(
    ("stored", "environ", "said"),
    [
        (backend(key=""), {}, "no key is stored"),
        (backend(key="env:UP_KEY"), {}, "$UP_KEY is not set"),
        (backend(key="env:UP_KEY"), {"UP_KEY": ""}, "$UP_KEY is empty"),
    ],
)
def test_a_key_that_cannot_be_had_is_a_problem_of_its_backend(made, stored, environ, said):
    """401 naming the backend and what is missing; the others serve on."""
    runtime = made(stored, backend("other"), environ=environ)
    with pytest.raises(Unauthenticated) as caught:
        target(runtime).check()
    assert "up" in caught.value.message
    assert said in caught.value.message
    target(runtime, "other").check()


def test_a_key_may_come_from_the_environment(made):
    """Read at each reload, and hidden in logs from then on."""
    runtime = made(backend(key="env:UP_KEY"), environ={"UP_KEY": KEY})
    assert target(runtime).auth[2] == b"Bearer " + KEY.encode()
    assert KEY not in runtime.log.redact(f'"{KEY}x"'.encode())


def test_a_target_shows_no_key(made):
    """Its repr may be part of an error, so it shows neither the key nor the header with it."""
    runtime = made(backend())
    assert KEY not in repr(target(runtime))
    assert KEY not in repr(runtime.snapshot)


def test_a_vendor_s_own_headers_go_to_no_other(made):
    """Organisation and project headers reach their vendor alone; the protocol's own reach all."""
    runtime = made(
        backend(vendor="openai"), backend("claude", vendor="anthropic", protocols=("messages",)), backend("own")
    )
    openai, anthropic = {b"openai-organization", b"openai-project"}, {b"anthropic-organization-id"}
    assert not openai & target(runtime).drop
    assert anthropic <= target(runtime).drop
    assert openai <= target(runtime, "claude").drop
    assert not anthropic & target(runtime, "claude").drop
    assert openai | anthropic <= target(runtime, "own").drop
    for found in runtime.snapshot.targets.values():
        assert not {b"anthropic-version", b"anthropic-beta"} & found.drop


def test_what_an_agent_tells_goes_to_upstreams_of_its_kind(made):
    """Claude Code's hints reach every backend of its protocol, Codex's its vendor alone: they name folders too."""
    runtime = made(
        backend(vendor="openai", protocols=("chat", "responses")),
        backend("claude", vendor="anthropic", protocols=("messages",)),
        backend("both", protocols=("messages", "responses")),
        backend("chat", protocols=("chat",)),
    )
    codex, claude = b"x-codex-turn-metadata", b"x-claude-code-request-class"
    passed = {
        name: [codex not in target(runtime, name).drop, claude not in target(runtime, name).drop]
        for name in ("up", "claude", "both", "chat")
    }
    assert passed == {"up": [True, False], "claude": [False, True], "both": [False, True], "chat": [False, False]}


@pytest.mark.parametrize(
    ("root", "seconds"),
    [
        ("https://up.example/v1", 300),
        ("http://127.0.0.1:1/v1", 600),
        ("http://192.168.1.9/v1", 600),
        ("http://[::1]:1/v1", 600),
        ("http://localhost:1/v1", 600),
        ("http://box.local/v1", 600),
    ],
)
def test_near_backends_have_more_time(made, root, seconds):
    """600 s on private addresses, 300 s elsewhere; a setting overrides both."""
    assert (target(made(backend(root=root))).first_byte, target(made(backend(root=root))).idle) == (seconds, seconds)
    settings = load({"FAIRLEAD_TIMEOUTS_IDLE": "7s", "FAIRLEAD_TIMEOUTS_FIRST_BYTE": "9s"}, {})
    found = target(made(backend(root=root), settings=settings))
    assert (found.first_byte, found.idle) == (9, 7)


def test_a_backend_s_own_options(made):
    """Times and switches of `[backends.NAME]` stand in for the common ones; what it leaves open stays common."""
    own = BackendOptions(connect=1.0, first_byte=2.0, idle=3.0, total=4.0, edits=Edits(effort="low"))
    off = BackendOptions(usage_probe=False, ask_identity=False, strip_attribution=False)
    on = BackendOptions(usage_probe=True, ask_identity=True, strip_attribution=True)
    names = ("times", "off", "on", "common")
    for common in (True, False):
        settings = Settings(
            timeouts_connect=9.0,
            timeouts_total=8.0,
            usage_probe=common,
            ask_identity=common,
            strip_attribution=common,
            backends={"times": own, "off": off, "on": on},
        )
        runtime = made(*(backend(name, vendor="openai") for name in names), settings=settings)
        times = target(runtime, "times")
        assert (times.connect, times.first_byte, times.idle, times.total) == (1.0, 2.0, 3.0, 4.0)
        assert (times.edits, target(runtime, "off").edits) == (Edits(effort="low"), None)
        plain = target(runtime, "common")
        assert (plain.connect, plain.first_byte, plain.idle, plain.total) == (9.0, 300.0, 300.0, 8.0)
        for name, wanted in (("off", False), ("on", True), ("common", common), ("times", common)):
            found = target(runtime, name)
            assert (found.stream_usage, found.ask_identity, found.strip_attribution) == (wanted,) * 3


def test_a_switch_does_not_widen_what_it_guards(made):
    """Usage is asked for only where it must be, and Anthropic keeps its own billing line."""
    on = BackendOptions(usage_probe=True, strip_attribution=True)
    settings = Settings(backends={"mistral": on, "anthropic": on})
    runtime = made(
        backend("mistral", vendor="mistral"),
        backend("anthropic", vendor="anthropic", protocols=("messages",)),
        settings=settings,
    )
    assert not target(runtime, "mistral").stream_usage
    assert not target(runtime, "anthropic").strip_attribution


def test_a_backend_s_account_shows_no_key():
    """Neither its repr nor that of its backend shows a key."""
    assert KEY not in repr(backend())
    assert KEY in msgspec.json.encode(backend()).decode()


def test_the_login_of_the_proxy_is_hidden(made):
    """It goes along in each tunnel, so an answer of the proxy may repeat it."""
    settings = Settings(upstream_proxy=parse_proxy_address("http://me:hunter2hunter2@proxy.example:3128"))
    runtime = made(backend(), settings=settings)
    assert [secret.reveal() for secret in target(runtime).hidden] == [KEY, "hunter2hunter2", "me:hunter2hunter2"]
    assert "hunter2" not in runtime.log.redact(b"407 for me:hunter2hunter2 or bWU6aHVudGVyMmh1bnRlcjI=")
