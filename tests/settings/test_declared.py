"""Every setting is declared once and read strictly: a bad value names where it stands and what was expected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.settings import (
    DECLARATIONS,
    ProxyAddress,
    Secret,
    Settings,
    format_default,
    load,
    parse_duration,
    parse_switch,
)
from router.settings.kinds import display

# key -> good text, value
GOOD = {
    "host": (" 0.0.0.0 ", "0.0.0.0"),
    "port": ("0", 0),
    "api_key": ("fl-secret", Secret("fl-secret")),
    "require_key": ("ON", "on"),
    "allowed_hosts": (" Box.Lan, ,b ", ("box.lan", "b")),
    "cors_origin": ("https://A.example,https://b.example", ("https://a.example", "https://b.example")),
    "model": (" groq:Llama ", "groq:Llama"),
    "fast_model": ("x", "x"),
    "default_backend": ("Local", "local"),
    "timeouts.connect": ("500ms", 0.5),
    "timeouts.first_byte": ("2m", 120.0),
    "timeouts.idle": ("1h", 3600.0),
    "timeouts.total": ("90", 90.0),
    "pool.strategy": ("Fill-First", "fill-first"),
    "drain.delay": ("0", 0.0),
    "drain.time": ("5m", 300.0),
    "metrics.token": ("env:PROMETHEUS_TOKEN", Secret("env:PROMETHEUS_TOKEN")),
    "workers": ("4", 4),
    "queue.max_concurrent": ("1", 1),
    "queue.max_queued": ("100000", 100_000),
    "queue.timeout": ("90s", 90.0),
    "usage_probe": ("off", False),
    "ask_identity": ("no", False),
    "strip_attribution": ("0", False),
    "auto_cache": ("off", False),
    "echo_model": ("off", False),
    "loss": ("Strict", "strict"),
    "passthrough": ("All", "all"),
    "log_file": ("~/a.log", "~/a.log"),
    "verbose": ("2", 2),
    "upstream_proxy": (" socks5://Box.lan ", ProxyAddress("socks5", "box.lan", 1080)),
    "tls.ca_file": ("~/roots.pem", "~/roots.pem"),
    "upgrade.url": (" https://mirror.example/fairlead/ ", "https://mirror.example/fairlead"),
    "search.provider": ("brave", "brave"),
    "search.key": ("env:BRAVE_API_KEY", Secret("env:BRAVE_API_KEY")),
    "search.base_url": (" HTTP://192.168.1.5:8888/searx/ ", "http://192.168.1.5:8888/searx"),
    "search.usd_per_1000": ("5", 5.0),
    "shared.url": (" rediss://valkey.example:6380/2 ", "rediss://valkey.example:6380/2"),
    "shared.team": ("blue", "blue"),
    "shared.secret": ("env:TEAM_SECRET", Secret("env:TEAM_SECRET")),
    "shared.password": ("file:/run/secrets/valkey", Secret("file:/run/secrets/valkey")),
    "shared.on_loss": ("Allow", "allow"),
    "shared.timezone": ("Europe/Berlin", "Europe/Berlin"),
    "telemetry.otlp": ("http://localhost:4318/", "http://localhost:4318"),
    "telemetry.headers": ("authorization=Bearer%20x", Secret("authorization=Bearer%20x")),
    "telemetry.trace_hosts": ("api.example, gateway.example", ("api.example", "gateway.example")),
    "context.fill": ("on", True),
    "demo": ("off", False),
    "ui": ("off", False),
    "history.retention": ("7d", 7),
    "history.max_size": (" 2 GB ", 2048),
    "history.capture": ("on", True),
    "guard.enabled": ("off", False),
    "guard.behavior": ("Warn", "warn"),
    "guard.cooldown": ("10m", 600.0),
    "guard.notify": ("no", False),
    "notify": ("Halt, back,halt", ("halt", "back")),
    "guard.unpriced": ("Refuse", "refuse"),
    "guard.billing": ("five_hour, Seven_Day", ("five_hour", "seven_day")),
    "guard.day_usd": ("5.50", 5.5),
    "guard.month_usd": ("200", 200.0),
    "guard.day_tokens": ("1000000", 1_000_000),
    "guard.month_tokens": ("1", 1),
}
BAD = {
    "host": ["", "  "],
    "port": ["", "x", "-1", "65536", "1.5", "80x", "9" * 5000],
    "api_key": ["", "two words", "b\u00f6se", "tab\t", "line\n"],
    "require_key": ["", "maybe"],
    "allowed_hosts": ["a\nb"],
    "cors_origin": ["a\x1bb"],
    "model": ["", "a\tb", "x" * 257],
    "fast_model": [" "],
    "default_backend": ["", "a b", "-a", "x" * 65],
    "pool.strategy": ["", "best"],
    "workers": ["0", "-1", "65", "auto"],
    "queue.max_concurrent": ["0", "-1", "1e3", "100001"],
    "queue.max_queued": ["", "many"],
    "queue.timeout": ["0", "soon"],
    "usage_probe": ["perhaps"],
    "ask_identity": [""],
    "strip_attribution": ["2"],
    "timeouts.connect": ["", "0", "0s", "-1s", "5 days", "s", "1e3", "inf", "nan", "9" * 400],
    "timeouts.first_byte": ["none", "0"],
    "timeouts.idle": ["never"],
    "timeouts.total": ["1:30"],
    "drain.delay": ["-1s", "soon", "301s"],
    "drain.time": ["", "6m"],
    "metrics.token": ["", "a b"],
    "auto_cache": ["maybe"],
    "echo_model": [""],
    "loss": ["", "never"],
    "passthrough": ["none"],
    "log_file": [" "],
    "verbose": ["3", "-1", "yes", ""],
    "upstream_proxy": [
        *("", "socks4://a:1", "http://", "http://a:0", "http://a:x", "http://a:70000", "http://a/path", "http://a b"),
        *("http://a?x", "http://[::1", "ftp://a"),
    ],
    "tls.ca_file": ["", "a\nb"],
    "search.provider": ["", "google", "brave,exa"],
    "search.key": ["", "a b"],
    "search.base_url": [
        "",
        "box",
        "ftp://box.lan",
        "http://search.example",
        "https://me:pw@search.example",
        "https://a?b",
    ],
    "search.usd_per_1000": ["", "-1", "free", "5 USD"],
    "shared.url": [
        *("", "valkey.example", "http://valkey.example", "redis://valkey.example", "redis://10.0.0.1:6379"),
        *(
            "rediss://me:pw@valkey.example",
            "rediss://",
            "rediss://a/x",
            "rediss://a:0x",
            "rediss://a?b",
            "rediss://a#b",
        ),
        *("unix://relative", "unix:///a?b=1", "redis://127.0.0.1.example"),
    ],
    "shared.team": ["", "Blue", "a b", "{a}", "a" * 33],
    "shared.secret": ["", "a b"],
    "shared.password": ["", "a b"],
    "shared.on_loss": ["", "closed"],
    "shared.timezone": ["", "../etc/passwd", "/UTC", "Mars Base", "Mars/Base"],
    "telemetry.otlp": ["", "collector", "http://collector.example:4318", "https://a?b"],
    "telemetry.headers": ["", "a b"],
    "telemetry.trace_hosts": ["a\nb"],
    "context.fill": ["", "maybe"],
    "upgrade.url": [
        *(
            "",
            "mirror",
            "http://mirror.example",
            "https://",
            "https://me:pw@mirror.example",
            "https://a b",
            "file:///x",
        ),
        *(
            "https://mirror.example?x",
            "https://mirror.example#x",
            "https://a:0",
            "https://a:x",
            "https://bücher.example",
        ),
    ],
    "demo": ["", "maybe", "2"],
    "history.capture": ["", "yes please"],
    "history.max_size": ["", "0", "0GB", "1TB", "1.5GB", "-1", "1025GB", "9" * 50, "unlimited"],
    "history.retention": ["", "0", "0d", "30h", "-1d", "1.5d", "4000d", "never"],
    "guard.enabled": ["", "2"],
    "guard.behavior": ["", "stop"],
    "guard.cooldown": ["", "0", "-1m", "never"],
    "guard.notify": ["maybe"],
    "notify": ["on", "halt,none", "all,none", "halt,off", "halt back", "a\nb"],
    "guard.unpriced": ["", "warn"],
    "guard.billing": ["a\nb"],
    "guard.day_usd": ["", "0", "0.0001", "-1", "$5", "five", "1e3", "1000000", "inf", "nan", "1,5"],
    "guard.month_usd": ["0", "unlimited"],
    "guard.day_tokens": ["", "0", "-1", "1.5", "1k", "9" * 20],
    "guard.month_tokens": ["0", "none"],
}
DECLARED = {entry.key: entry for entry in DECLARATIONS}


def test_every_setting_is_declared_whole():
    """Key, variable, flag and attribute are its own; help says what it does; the table here knows it."""
    for names in (
        [entry.key for entry in DECLARATIONS],
        [entry.env for entry in DECLARATIONS],
        [entry.attribute for entry in DECLARATIONS],
        [entry.flag for entry in DECLARATIONS if not entry.secret],
    ):
        assert len(names) == len(set(names))
        assert all(names)
    for entry in DECLARATIONS:
        assert entry.help
        assert entry.metavar
        assert entry.env.startswith("FAIRLEAD_")
        assert entry.env.isupper()
        assert hasattr(Settings(), entry.attribute)
    assert set(GOOD) == set(DECLARED)


def test_secrets_have_no_flag():
    """Arguments are readable by other processes."""
    flags = {entry.key: entry.flag for entry in DECLARATIONS if entry.secret}
    names = ("api_key", "metrics.token", "search.key", "shared.secret", "shared.password", "telemetry.headers")
    assert flags == dict.fromkeys(names, "")


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("host", "localhost"),
        ("port", "3456"),
        ("timeouts.connect", "10s"),
        ("timeouts.total", "1800s"),
        ("demo", "on"),
        ("api_key", ""),
        ("allowed_hosts", ""),
        ("verbose", "0"),
        ("timeouts.idle", ""),
    ],
)
def test_defaults_are_shown_as_they_are_written(key, shown):
    """Help shows what could be typed, and nothing where there is no default."""
    assert format_default(DECLARED[key]) == shown


@pytest.mark.parametrize("key", DECLARED)
def test_a_shown_default_means_itself(key):
    """Typed in, it changes nothing."""
    entry = DECLARED[key]
    shown = format_default(entry)
    if shown:
        assert entry.parse(shown) == getattr(Settings(), entry.attribute)


@pytest.mark.parametrize("key", GOOD)
def test_a_setting_comes_from_its_variable_or_its_flag(key):
    """A flag wins over a variable, a variable over the default."""
    entry = DECLARED[key]
    text, value = GOOD[key]
    assert getattr(load({entry.env: text}, {}), entry.attribute) == value
    assert getattr(load({}, {entry.attribute: text}), entry.attribute) == value
    assert load({}, {}) == Settings()
    if key in BAD:
        with pytest.raises(CommandError):
            load({entry.env: BAD[key][0]}, {entry.attribute: text})


def test_a_flag_wins_over_a_variable():
    """Both given, the flag counts."""
    assert load({"FAIRLEAD_PORT": "1"}, {"port": "2"}).port == 2


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, texts in BAD.items() for text in texts])
def test_a_bad_value_is_an_error_that_helps(key, text):
    """It names the variable or the flag, what stands there, and what was expected; it never shows a secret."""
    entry = DECLARED[key]
    for where, sources in ((f"${entry.env}", ({entry.env: text}, {})), (entry.flag, ({}, {entry.attribute: text}))):
        if not where:
            continue
        with pytest.raises(CommandError) as caught:
            load(*sources)
        said = str(caught.value)
        assert said.startswith(where)
        assert "; expected " in said
        if entry.secret or entry.kind.hides(text):
            assert not text.strip() or text not in said
            assert " set;" in said
        else:
            assert display(text) in said
            assert "\n" not in said


UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@given(st.integers(1, 10**6), st.integers(0, 999), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_a_duration_is_its_number_times_its_unit(whole, part, unit, space):
    """With and without a fraction, with and without a space."""
    text = f"{whole}.{part:03d}"
    assert parse_duration(f"{text}{space}{unit}") == pytest.approx(float(text) * UNITS[unit])
    assert parse_duration(f" {whole}{unit} ") == pytest.approx(whole * UNITS[unit])


@given(st.text(max_size=12))
def test_a_duration_is_positive_or_an_error(text):
    """Whatever is written."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        said = str(error)
    else:
        assert seconds > 0
        return
    assert "120s" in said


@pytest.mark.parametrize("text", ["on", "TRUE", " yes ", "1"])
def test_a_switch_is_on(text):
    """In the words people use."""
    assert parse_switch(text) is True


def test_a_secret_shows_itself_only_when_asked():
    """Text, repr and format say `set`; equal secrets are equal."""
    secret = Secret("hunter2")
    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == ["set", "set", "set", "[set]"]
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2") != Secret("other")
    assert hash(secret) == hash(Secret("hunter2"))
    assert "hunter2" not in repr(load({"FAIRLEAD_API_KEY": "hunter2"}, {}))
