"""Every setting, declared once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from router.settings.declaring.declaration import Declaration, declare
from router.settings.declaring.drain import DRAIN
from router.settings.declaring.shared import NAME, ON_LOSS, REFUSE, URL, UTC, ZONE
from router.settings.kinds import (
    BACKEND,
    BUDGET,
    CAP,
    DAYS,
    LEVEL,
    MEGABYTES,
    MODEL,
    NAMES,
    PLACES,
    PORT,
    SECRET,
    SWITCH,
    TEXT,
    TIME,
    WORKERS,
    Frozen,
    Secret,
    choice,
    some_of,
)
from router.settings.proxies import PROXY, ProxyAddress
from router.settings.releases import RELEASES
from router.settings.search import ADDRESS, PRICE, PROVIDER
from router.settings.tables import BackendOptions, KeyOptions, ModelOptions, Price, Rule

#: What notifications tell of; of the first ones not where guard.notify is off.
GUARD_NOTICES = ("halt", "budget")
NOTICES = (*GUARD_NOTICES, "parked", "back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one proxy; all times are seconds."""

    host: str = declare(
        "host",
        TEXT,
        "localhost",
        "HOST",
        "address to listen on; localhost is both IPv4 and IPv6 loopback",
        restart=True,
    )
    port: int = declare("port", PORT, 3456, "PORT", "port to listen on; 0 picks a free one", restart=True)
    workers: int = declare(
        "workers",
        WORKERS,
        1,
        "NUMBER",
        "processes that serve the port, such as one a core; on Windows one",
        restart=True,
    )
    api_key: Secret | None = declare(
        "api_key",
        SECRET,
        None,
        "KEY",
        "key that clients must send; required when other machines can connect",
        secret=True,
    )
    require_key: str = declare(
        "require_key",
        choice("auto", "on", "off"),
        "auto",
        "auto|on|off",
        "require the key; auto: off loopback, in a container, or when the machine has another login user",
    )
    allowed_hosts: tuple[str, ...] = declare(
        "allowed_hosts", NAMES, (), "NAMES", "additional Host names to accept, separated by commas"
    )
    cors_origin: tuple[str, ...] = declare(
        "cors_origin", NAMES, (), "ORIGINS", "browser origins to accept, separated by commas"
    )
    model: str | None = declare("model", MODEL, None, "MODEL", "send every generation request to this model")
    fast_model: str | None = declare(
        "fast_model", MODEL, None, "MODEL", "when `model` is set: the model for requests of the haiku and mini tier"
    )
    default_backend: str | None = declare(
        "default_backend", BACKEND, None, "NAME", "backend for models that no backend lists"
    )
    timeouts_connect: float = declare("timeouts.connect", TIME, 10.0, "TIME", "timeout for connecting to an upstream")
    timeouts_first_byte: float | None = declare(
        "timeouts.first_byte",
        TIME,
        None,
        "TIME",
        "timeout for the response headers of a stream (default 300s, 600s on private addresses)",
    )
    timeouts_idle: float | None = declare(
        "timeouts.idle",
        TIME,
        None,
        "TIME",
        "timeout between two reads of a stream (default 300s, 600s on private addresses)",
    )
    timeouts_total: float = declare("timeouts.total", TIME, 1800.0, "TIME", "timeout for a whole request")
    pool_strategy: str = declare(
        "pool.strategy",
        choice("headroom", "fill-first", "round-robin"),
        "headroom",
        "headroom|fill-first|round-robin",
        "which of a backend's accounts gets a new conversation: the one with the most left, the first, or each in turn",
    )
    queue_max_concurrent: int = declare(
        "queue.max_concurrent", PLACES, 1000, "NUMBER", "maximum concurrent requests per backend; more wait"
    )
    queue_max_queued: int = declare(
        "queue.max_queued", PLACES, 1000, "NUMBER", "maximum waiting requests per backend; more get 503"
    )
    queue_timeout: float = declare(
        "queue.timeout", TIME, 60.0, "TIME", "maximum wait for a backend, its accounts and a budget"
    )
    drain_delay: float = declare(
        "drain.delay",
        DRAIN,
        0.0,
        "TIME",
        "how long a proxy that was told to stop still accepts connections, with /readyz at 503, until a load balancer "
        "has taken it out",
    )
    drain_time: float = declare(
        "drain.time",
        DRAIN,
        10.0,
        "TIME",
        "how long open answers then have to end before they get an error event; agents may need 300s",
    )
    metrics_token: Secret | None = declare(
        "metrics.token",
        SECRET,
        None,
        "TOKEN",
        "token that reads /metrics and nothing else, or where it is found: env:VARIABLE, file:PATH",
        secret=True,
    )
    usage_probe: bool = declare(
        "usage_probe", SWITCH, True, "on|off", "ask Chat streams for usage where a provider reports it only then"
    )
    ask_identity: bool = declare("ask_identity", SWITCH, True, "on|off", "ask upstreams for uncompressed answers")
    strip_attribution: bool = declare(
        "strip_attribution",
        SWITCH,
        True,
        "on|off",
        "remove Claude Code's billing line for backends other than Anthropic",
    )
    auto_cache: bool = declare(
        "auto_cache",
        SWITCH,
        True,
        "on|off",
        "for translated requests: add Anthropic cache breakpoints or an OpenAI prompt_cache_key",
    )
    echo_model: bool = declare(
        "echo_model",
        SWITCH,
        True,
        "on|off",
        "translated answers have the model name of the request; off: that of the model that answered",
    )
    loss: str = declare(
        "loss",
        choice("warn", "strict", "silent"),
        "warn",
        "warn|strict|silent",
        "what a translation loses: warn lists it in x-fairlead-loss, strict refuses the request, silent does neither",
    )
    passthrough: str = declare(
        "passthrough",
        choice("api", "all"),
        "api",
        "api|all",
        "`all` also forwards organisation, admin, key and billing paths, and DELETE",
    )
    log_file: str | None = declare("log_file", TEXT, None, "FILE", "append an access log (JSON, one line per request)")
    verbose: int = declare("verbose", LEVEL, 0, "0|1|2", "1 prints a line per request, 2 redacted bodies too")
    history_retention: int = declare(
        "history.retention", DAYS, 30, "DAYS", "how long requests are kept in history.db, such as 30d"
    )
    history_max_size: int = declare(
        "history.max_size", MEGABYTES, 1024, "MB", "how large history.db may grow; the oldest requests go first"
    )
    history_capture: bool = declare(
        "history.capture",
        SWITCH,
        False,
        "on|off",
        "keep the bodies of requests and answers for 24 h, in private files of the home; secrets are removed",
    )
    upstream_proxy: ProxyAddress | None = declare(
        "upstream_proxy",
        PROXY,
        None,
        "URL",
        "HTTP or SOCKS5 proxy for upstream traffic; NO_PROXY hosts and loopback bypass it; `off` also ignores "
        "HTTPS_PROXY",
    )
    tls_ca_file: str | None = declare(
        "tls.ca_file", TEXT, None, "FILE", "PEM file of CAs to trust besides the system's, such as a company's own"
    )
    guard_enabled: bool = declare(
        "guard.enabled", SWITCH, True, "on|off", "enforce budgets and allowed billing classes"
    )
    guard_behavior: str = declare(
        "guard.behavior",
        choice("halt", "warn"),
        "halt",
        "halt|warn",
        "on a used-up budget or a billing class that is not allowed: halt refuses further requests, warn only warns",
    )
    guard_cooldown: float = declare(
        "guard.cooldown", TIME, 1800.0, "TIME", "how long a halt lasts; `fairlead resume` ends it"
    )
    guard_notify: bool = declare(
        "guard.notify",
        SWITCH,
        True,
        "on|off",
        "notify of halts and budgets: on the desktop, or by the terminal bell",
    )
    notify: tuple[str, ...] = declare(
        "notify",
        some_of(*NOTICES),
        ("all",),
        "KINDS",
        "desktop notifications: all, off, or some of halt, budget (at 80 %), parked (no account is ready), back",
    )
    guard_unpriced: str = declare(
        "guard.unpriced",
        choice("allow", "refuse"),
        "allow",
        "allow|refuse",
        "under a budget in US dollars: allow or refuse requests whose cost cannot be counted",
    )
    guard_billing: tuple[str, ...] = declare(
        "guard.billing",
        NAMES,
        (),
        "CLASSES",
        "billing classes that are allowed, such as five_hour,seven_day; any other trips the guard (default all)",
    )
    guard_day_usd: float | None = declare("guard.day_usd", BUDGET, None, "USD", "US dollars per day, in local time")
    guard_month_usd: float | None = declare("guard.month_usd", BUDGET, None, "USD", "US dollars per calendar month")
    guard_day_tokens: int | None = declare(
        "guard.day_tokens", CAP, None, "TOKENS", "tokens per day: input, output and cached"
    )
    guard_month_tokens: int | None = declare("guard.month_tokens", CAP, None, "TOKENS", "tokens per calendar month")
    upgrade_url: str | None = declare(
        "upgrade.url",
        RELEASES,
        None,
        "URL",
        "where `fairlead upgrade` finds releases, in the place of fairlead's own page: below it are latest/download/ "
        "and download/vVERSION/",
    )
    search_provider: str | None = declare(
        "search.provider",
        PROVIDER,
        None,
        "brave|tavily|exa|perplexity|searxng",
        "search engine to ask where a backend has no web search of its own; unset, none is ever contacted",
    )
    search_key: Secret | None = declare(
        "search.key",
        SECRET,
        None,
        "KEY",
        "key of the search engine, or where it is found: env:VARIABLE, file:PATH, keyring:SERVICE/USER",
        secret=True,
    )
    search_base_url: str | None = declare(
        "search.base_url", ADDRESS, None, "URL", "address of the engine; needed for searxng, else the provider's own"
    )
    search_usd_per_1000: float | None = declare(
        "search.usd_per_1000", PRICE, None, "USD", "US dollars for 1,000 searches; unset, their cost is unknown"
    )
    shared_url: str | None = declare(
        "shared.url",
        URL,
        None,
        "URL",
        "Valkey or Redis server that a team's proxies share their budgets and state on; unset, none is contacted",
        restart=True,
    )
    shared_team: str = declare(
        "shared.team", NAME, "team", "NAME", "team whose state is shared; a server may have several", restart=True
    )
    shared_secret: Secret | None = declare(
        "shared.secret",
        SECRET,
        None,
        "SECRET",
        "secret of the team, the same for all, or where it is found: env:VARIABLE, file:PATH, keyring:SERVICE/USER",
        secret=True,
        restart=True,
    )
    shared_password: Secret | None = declare(
        "shared.password",
        SECRET,
        None,
        "PASSWORD",
        "password of the server, or where it is found, as for shared.secret",
        secret=True,
        restart=True,
    )
    shared_on_loss: str = declare(
        "shared.on_loss",
        ON_LOSS,
        REFUSE,
        "refuse|allow",
        "while the server cannot be reached: refuse requests beyond the share of a budget that is held, or allow them",
    )
    shared_timezone: str = declare(
        "shared.timezone", ZONE, UTC, "ZONE", "time zone of a team's days and months, such as Europe/Berlin"
    )
    telemetry_otlp: str | None = declare(
        "telemetry.otlp",
        ADDRESS,
        None,
        "URL",
        "OpenTelemetry collector that gets a span of each request and metrics, without texts, by OTLP over HTTP: below "
        "it are /v1/traces and /v1/metrics; unset, none is contacted",
        restart=True,
    )
    telemetry_headers: Secret | None = declare(
        "telemetry.headers",
        SECRET,
        None,
        "HEADERS",
        "headers for the collector, name=value,name=value with %20 for a space, or where they are found: env:VARIABLE, "
        "file:PATH, keyring:SERVICE/USER",
        secret=True,
        restart=True,
    )
    telemetry_trace_hosts: tuple[str, ...] = declare(
        "telemetry.trace_hosts",
        NAMES,
        (),
        "HOSTS",
        "hosts of backends that get the trace context (traceparent, tracestate), separated by commas; no other does",
    )
    context_fill: bool = declare(
        "context.fill",
        SWITCH,
        False,
        "on|off",
        "fill session, request, channel and user ids and the time into tool calls whose tools declare such fields, "
        "from x-session-id and its like, where the model left them empty",
    )
    demo: bool = declare("demo", SWITCH, True, "on|off", "offer the built-in demo models")
    ui: bool | None = declare(
        "ui",
        SWITCH,
        None,
        "on|off",
        "serve the local page at /ui (default on, off in a container); it is never served off loopback",
    )
    #: Name in lower case -> model.
    aliases: Mapping[str, str] = Frozen[str]()
    #: Glob on a model's name -> BACKEND:MODEL each; the first matching glob counts.
    fallback: Mapping[str, tuple[str, ...]] = Frozen[tuple[str, ...]]()
    #: The pool_accounts_… and guard_accounts_… tables: BACKEND/ALIAS -> value.
    pool_accounts_rpm: Mapping[str, int] = Frozen[int]()
    pool_accounts_tpm: Mapping[str, int] = Frozen[int]()
    pool_accounts_group: Mapping[str, str] = Frozen[str]()
    guard_accounts_day_usd: Mapping[str, float] = Frozen[float]()
    guard_accounts_month_usd: Mapping[str, float] = Frozen[float]()
    #: Tag -> US dollars.
    guard_tags_day_usd: Mapping[str, float] = Frozen[float]()
    guard_tags_month_usd: Mapping[str, float] = Frozen[float]()
    routes: tuple[Rule, ...] = ()
    #: By name of the backend.
    backends: Mapping[str, BackendOptions] = Frozen[BackendOptions]()
    #: By model in lower case.
    prices: Mapping[str, Price] = Frozen[Price]()
    #: By model, or by BACKEND:MODEL, in lower case.
    models: Mapping[str, ModelOptions] = Frozen[ModelOptions]()
    #: By name of the client key.
    keys: Mapping[str, KeyOptions] = Frozen[KeyOptions]()
    #: Name of a tool -> BACKEND or BACKEND:MODEL.
    server_tools: Mapping[str, str] = Frozen[str]()
    #: Path of a field without indices -> its own value of `loss`.
    losses: Mapping[str, str] = Frozen[str]()


DECLARATIONS: tuple[Declaration, ...] = tuple(
    entry.metadata["declaration"] for entry in fields(Settings) if "declaration" in entry.metadata
)
