"""The variables of this shell: where tools that read them would send their requests."""

import os
from urllib.parse import urlsplit

from router.backends import ANTHROPIC, APIS, Api
from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.net.loopback import predict_url
from router.settings.kinds import NO_KEY, clean

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
#: What must not go through a proxy.
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
#: Files of certificates that tools read.
_CERTIFICATES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_ANEW = 'Set them anew: eval "$(fairlead env)"'
#: How keys of Anthropic begin.
_REAL_KEY = "sk-ant-"


def find_url(situation: Situation) -> str:
    """The URL of the proxy of this home, or where the settings would put one."""
    serving = situation.serving
    if serving is not None:
        return serving.run.url
    return predict_url(situation.settings.host, situation.settings.port)


def is_ours(value: str, url: str) -> bool:
    """True for a base URL that leads to the proxy at a URL, by any name of this machine."""
    try:
        given, own = urlsplit(value), urlsplit(url)
        same = (given.port or 80) == (own.port or 80) and given.scheme == own.scheme
    except ValueError:
        return False
    hosts = {*_LOOPBACK, own.hostname or ""}
    return same and (given.hostname or "") in hosts


def check_environment(situation: Situation) -> list[Row]:
    """Where the variables of the SDKs point."""
    url = find_url(situation)
    rows = [row for api in APIS for row in _judge_api(api, situation, url)]
    environ = situation.environ
    if is_ours(environ.get(ANTHROPIC.url_variable, ""), url) and all(
        environ.get(name) for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
    ):
        text = "ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN are both set; Claude Code warns, and SDKs send one of them"
        rows.append(Row("env", "warn", text, "Keep one: unset ANTHROPIC_API_KEY"))
    return rows


def _judge_api(api: Api, situation: Situation, url: str) -> list[Row]:
    name, value = api.url_variable, situation.environ.get(api.url_variable, "").strip()
    if not value:
        return []
    if not is_ours(value, url):
        text = f"{name} points to {clean(value)} in this shell, not to {url}"
        if is_loopback_url(value):
            return [Row("env", "warn", f"{text}; is it of an earlier proxy?", _ANEW)]
        return [Row("env", "info", text)]
    path = urlsplit(value).path.rstrip("/")
    if path != api.url_suffix:
        wanted = f"{url}{api.url_suffix}"
        return [Row("env", "warn", f"{name} is {clean(value)}; its tools need {wanted}", f"export {name}={wanted}")]
    return _judge_key(api, situation) or [Row("env", "info", f"{name} points to {clean(value)} in this shell")]


def _judge_key(api: Api, situation: Situation) -> list[Row]:
    """A base URL alone: the key beside it is missing, or one of the vendor that would come here."""
    environ = situation.environ
    names = dict.fromkeys((api.key_variable, f"{api.name.upper()}_API_KEY"))
    keys = {key: environ[key] for key in names if environ.get(key)}
    if any(backend.auth == "client" and backend.enabled for backend in situation.backends):
        # The tool's own login is passed on.
        return []
    if not keys:
        text = f"{api.url_variable} is set and {api.key_variable} is not: some tools ask for a login then"
        return [Row("env", "warn", text, f"export {api.key_variable}={NO_KEY}")]
    real = next((key for key, value in keys.items() if value.startswith(_REAL_KEY)), "")
    if real:
        text = f"{real} holds a key of the vendor's, which tools send here instead of there"
        return [Row("env", "warn", text, _ANEW)]
    return []


def is_loopback_url(value: str) -> bool:
    """True for a URL of this machine."""
    from router.net.client.outbound import is_loopback

    try:
        return is_loopback(urlsplit(value).hostname or "")
    except ValueError:
        return False


def check_proxies(situation: Situation) -> list[Row]:
    """Whether the variables for proxies keep clients from this machine, and files of certificates are there."""
    environ = situation.environ
    rows: list[Row] = []
    for name in (*_PROXIES, "NO_PROXY"):
        upper, lower = environ.get(name, ""), environ.get(name.lower(), "")
        if upper and lower and upper != lower and os.name != "nt":
            text = f"{name} and {name.lower()} differ; each tool reads one of them"
            rows.append(Row("env.proxy", "warn", text, f'export {name.lower()}="${name}"'))
    named = [name for one in _PROXIES for name in (one, one.lower()) if environ.get(name)]
    if named:
        rows += _judge_bypass(situation, named)
    for name in _CERTIFICATES:
        value = environ.get(name, "")
        if value and not os.path.exists(os.path.expanduser(value)):
            rows.append(Row("env.proxy", "warn", f"{name} names {clean(value)}, which is not there", f"unset {name}"))
    return rows


def _judge_bypass(situation: Situation, named: list[str]) -> list[Row]:
    environ = situation.environ
    rows: list[Row] = []
    listed = [name for name in ("NO_PROXY", "no_proxy") if environ.get(name)]
    for name in listed or ["NO_PROXY"]:
        hosts = {host.strip().lower() for host in environ.get(name, "").replace(" ", ",").split(",")}
        missing = [] if "*" in hosts else [one for one in _LOOPBACK if one not in hosts]
        if missing:
            value = ",".join([*(host for host in environ.get(name, "").split(",") if host.strip()), *missing])
            text = (
                f"{named[0]} is set, and {name} lacks {', '.join(missing)}: many clients would ask the proxy for them"
            )
            fix = f"export {name}={value}" + ("" if listed else f" no_proxy={value}")
            rows.append(Row("env.proxy", "warn", text, fix))
    return rows or [Row("env.proxy", "info", f"{named[0]} is set; this machine is left out of it")]
