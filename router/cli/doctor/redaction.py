"""Takes secrets out of the finished text, by their values and by what keys look like.

Rules of this file: every text that leaves the command passes here, whatever a check has put into it; a text that cannot
be searched is not printed at all.
"""

import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.redaction import KEYS, MARK, Redactor
from router.settings import DECLARATIONS, Secret
from router.settings.kinds import NO_KEY
from router.settings.secret_headers import is_hidden_in_texts
from router.settings.secret_names import is_secret_name
from router.store.home.home import TOKEN
from router.store.keys import logins
from router.store.keys.references import parse
from router.upstream.credentials import find_reference

_MARK = MARK.decode()
_URL = re.compile(r"://([^\s\"'\\<>]*+)")
# What fairlead's own keys look like, of any home.
_OWN = re.compile(TOKEN.decode())
_ADDRESS = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++")


def redact(text: str, situation: Situation) -> str:
    """The text without keys, logins in URLs, and addresses of persons; the user's own folder is `~`."""
    # The placeholder for a key is no secret, and the name of the program.
    text = Redactor(one for one in iter_secrets(situation) if one != NO_KEY).redact_text(text)
    text = _URL.sub(_cut_url, text)
    text = _OWN.sub(_MARK, KEYS.sub(_MARK, text))
    text = _ADDRESS.sub(_MARK, text)
    own = os.path.expanduser("~") + os.sep
    # A shell does not expand it inside of quotes.
    return text.replace(f"'{own}", f"~{os.sep}'").replace(own, f"~{os.sep}") if len(own) > 2 else text


def _cut_url(found: re.Match[str]) -> str:
    """A URL without user and password, and without all behind its question mark."""
    authority, slash, path = found[1].partition("?")[0].partition("/")
    return f"://{authority.rpartition('@')[2]}{slash}{path}"


def iter_secrets(situation: Situation) -> Iterator[str]:
    """The secrets that are known here: of the home, the backends, the settings, the logins and the variables."""
    for _, own in situation.own_keys.secrets:
        yield own.reveal()
    texts = [account.key for backend in situation.backends for account in backend.accounts]
    for text in texts:
        yield from _iter_stored(text, situation.environ)
    fetched = [find_reference(account, backend.root) for backend in situation.backends for account in backend.accounts]
    yield from (secret.reveal() for secret in situation.credentials.list_fetched(fetched))
    for name, value in situation.environ.items():
        if is_secret_name(name):
            yield value
        yield from _iter_passwords(value)
    yield from _iter_configured(situation)
    yield from _iter_logins(situation)


def _iter_stored(key: str, environ: Mapping[str, str]) -> Iterator[str]:
    """A key that is stored itself or in a variable, and the words of a command, which may hold one."""
    try:
        reference = parse(key)
    except CommandError:
        yield key
        return
    if reference is None:
        yield key
    elif reference.kind == "env":
        yield environ.get(reference.words[0], "")
    elif reference.kind == "cmd":
        yield from reference.words[1:]


def _iter_passwords(value: str) -> Iterator[str]:
    """The password in an address, as proxies are named."""
    if "://" in value and "@" in value:
        try:
            password = urlsplit(value.strip()).password
        except ValueError:
            return
        if password:
            yield from (password, unquote(password))


def _iter_configured(situation: Situation) -> Iterator[str]:
    """The secrets of config.toml: settings that are secret, and headers of backends."""
    settings = situation.settings
    for entry in DECLARATIONS:
        value = getattr(settings, entry.attribute)
        if isinstance(value, Secret):
            yield value.reveal()
    proxy = settings.upstream_proxy
    if proxy is not None and proxy.password is not None:
        yield proxy.password.reveal()
    for options in settings.backends.values():
        headers = options.edits.set_headers.items()
        yield from (value for name, value in headers if is_hidden_in_texts(name, value))


def _iter_logins(situation: Situation) -> Iterator[str]:
    if situation.home is None:
        return
    try:
        names = logins.list_names(situation.home)
    except CommandError:
        return
    for name in names:
        try:
            # Not from the keyring, which may ask its user; a token there came into no row.
            record = logins.read_record(situation.home, name)
        except CommandError:
            continue
        if record is not None:
            yield from (
                part for part in (record.tokens.access, record.tokens.refresh, record.tokens.client_secret) if part
            )
