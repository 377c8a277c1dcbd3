"""Access tokens of Google Cloud: for a service account, by its key file, and from the metadata server.

Rules of this file: a service account signs an assertion (RFC 7523) that goes to the token endpoint of its file and
nowhere else; the metadata server is asked only where the user named it, directly, and must say that it is Google's; a
login of gcloud is not used, since it is the login of another program, whose client id is not fairlead's: gcloud itself
gives its token. Files that name programs to run, or other places to get tokens from, are left to gcloud too. Nothing of
a file is shown. Sources: Google's `Using OAuth 2.0 for Server to Server Applications`, `How Application Default
Credentials works`, `About VM metadata`.
"""

import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import trio

from router.errors import CommandError
from router.login.calls import (
    IssuerError,
    Send,
    make_refusal,
    make_send,
    post_form,
    read_grant,
    read_object,
    read_seconds,
)
from router.login.metadata import is_secure
from router.net.client.outbound import Outbound
from router.net.control.request import Answer, clean
from router.settings import Secret
from router.store.home.permissions import read_secret, shown
from router.store.keys.secrets import check_key
from router.upstream.keys import rs256
from router.upstream.keys.clock import describe_skew
from router.upstream.keys.fetched_key import FetchedKey
from router.upstream.keys.metadata import ask_metadata

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Seconds; Google takes no longer ones.
ASSERTION_SECONDS = 3600
# The audience of an assertion, whatever door its file names.
_AUDIENCE = "https://oauth2.googleapis.com/token"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FILE_LIMIT = 65_536
_OWN = "gcloud auth application-default print-access-token"
_ASK_GCLOUD = f"Take the token from gcloud:   --key-cmd '{_OWN}'"
_LOG_IN = "Log in first where it has none:   gcloud auth application-default login"
_DEFAULT_HOST = "metadata.google.internal"
_TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105 - a path


class ServiceAccount(NamedTuple):
    """What is used of a service account's file."""

    email: str
    key_id: str
    key: rs256.PrivateKey
    token_uri: str

    def __repr__(self) -> str:
        return f"ServiceAccount({self.email})"


async def fetch_token(named: str, environ: Mapping[str, str], outbound: Outbound, now: float) -> FetchedKey:
    """A token. named: `adc`, `metadata`, or the path of a service account's file. now: seconds since 1970. Raises
    CommandError."""
    if named == "metadata":
        return await _ask_metadata_server(environ)
    path = find_default_file(environ) if named == "adc" else _expand(named)
    account = await trio.to_thread.run_sync(read_service_account, path, abandon_on_cancel=True)
    return await exchange(account, make_send(outbound), now, shown(path))


def _expand(path: str) -> Path:
    return Path(os.path.expanduser(path))


def find_default_file(environ: Mapping[str, str]) -> Path:
    """The file of the application default credentials: the variable's, else that of gcloud."""
    given = environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    if given:
        return Path(os.path.abspath(os.path.expanduser(given)))
    own = environ.get("CLOUDSDK_CONFIG", "")
    if not own and sys.platform == "win32":
        own = os.path.join(environ.get("APPDATA", "~"), "gcloud")
    return Path(os.path.expanduser(own or "~/.config/gcloud")) / "application_default_credentials.json"


def read_service_account(path: Path) -> ServiceAccount:
    """The service account in a file. Blocks. Raises CommandError, for files of other kinds with what gives their
    token."""
    data = read_secret(path, _FILE_LIMIT)
    if data is None:
        raise CommandError(f"the file of Google credentials {shown(path)} does not exist.", f"{_ASK_GCLOUD}\n{_LOG_IN}")
    try:
        fields = msgspec.json.decode(data, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CommandError(f"{shown(path)} is no file of Google credentials: it is no JSON object.") from None
    _check_kind(fields, path)
    return _read_fields(fields, path)


def _check_kind(fields: Mapping[str, object], path: Path) -> None:
    """Raise CommandError for a file that is not of a service account."""
    kind = fields.get("type")
    named = clean(kind, 60) if isinstance(kind, str) else "no type"
    if kind == "authorized_user":
        raise CommandError(
            f"{shown(path)} holds a login of gcloud, which fairlead does not use: it belongs to gcloud's own client.",
            f"{_ASK_GCLOUD}\n{_LOG_IN}",
        )
    if kind != "service_account":
        raise CommandError(
            f"{shown(path)} holds Google credentials of the kind {named}; fairlead uses service_account alone.",
            _ASK_GCLOUD,
        )
    universe = fields.get("universe_domain", "googleapis.com")
    if universe != "googleapis.com":
        raise CommandError(f"{shown(path)} is for another universe than googleapis.com.", _ASK_GCLOUD)


def _read_fields(fields: Mapping[str, object], path: Path) -> ServiceAccount:
    names = ("client_email", "private_key_id", "private_key", "token_uri")
    found: list[str] = []
    for name in names:
        value = fields.get(name)
        if not isinstance(value, str) or not value:
            raise CommandError(f"{shown(path)} has no {name}.", "Make a new key for it in Google Cloud's console.")
        found.append(value)
    email, key_id, pem, uri = found
    if not is_secure(uri, uri):
        raise CommandError(f"the token_uri in {shown(path)} is not a URL with https://, so nothing is sent there.")
    try:
        key = rs256.read_private_key(pem)
    except CommandError as error:
        raise CommandError(f"{shown(path)}: {error}", "Make a new key for it in Google Cloud's console.") from None
    return ServiceAccount(email, key_id, key, uri)


def make_assertion(account: ServiceAccount, scope: str, now: int) -> bytes:
    """The assertion that a service account signs. now: seconds since 1970."""
    header = {"typ": "JWT", "alg": "RS256", "kid": account.key_id}
    claims = {"iat": now, "exp": now + ASSERTION_SECONDS, "iss": account.email, "aud": _AUDIENCE, "scope": scope}
    signed = b".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
    return signed + b"." + _encode(rs256.sign(account.key, signed))


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


async def exchange(account: ServiceAccount, ask: Send, now: float, where: str) -> FetchedKey:
    """The token that an assertion is given for. where: the file, as messages name it. Raises CommandError."""
    assertion = make_assertion(account, SCOPE, int(now)).decode()
    form = {"grant_type": _GRANT, "assertion": assertion}
    answer = await post_form(ask, account.token_uri, form, None, hide=[assertion])
    refusal = make_refusal(answer, account.token_uri, [assertion])
    if refusal is not None:
        raise _explain(refusal, account, answer, now, where)
    grant = read_grant(answer, account.token_uri)
    return FetchedKey(Secret(grant.access), grant.lifetime, (Secret(assertion),))


def _explain(refusal: IssuerError, account: ServiceAccount, answer: Answer, now: float, where: str) -> CommandError:
    """A refusal with what is probably wrong."""
    text = f"no token for the service account in {where}: {refusal}"
    skew = describe_skew(answer.headers.get("date", ""), now)
    if skew:
        return CommandError(
            f"{text} This machine's clock is {skew}, and its assertions hold the time.", "Set the clock."
        )
    if refusal.code == "invalid_grant":
        said = str(refusal).lower()
        if "iat" in said or "timeframe" in said:
            return CommandError(f"{text} This machine's clock is probably wrong.", "Set the clock.")
        return CommandError(text, "Its key was probably deleted: make a new one in Google Cloud's console.")
    return CommandError(text, refusal.hint)


async def _ask_metadata_server(environ: Mapping[str, str]) -> FetchedKey:
    host = environ.get("GCE_METADATA_HOST") or _DEFAULT_HOST
    answer = await ask_metadata(
        host, _TOKEN_PATH, {"scopes": SCOPE}, {"metadata-flavor": "Google"}, "the metadata server of Google Cloud"
    )
    # What stands in its place does not say so: a router, or a page that asks for a login.
    if answer.headers.get("metadata-flavor") != "Google":
        raise CommandError(
            f"{clean(host, 100)} is not the metadata server of Google Cloud: it does not say that it is."
        )
    return read_metadata_token(answer, f"the metadata server {clean(host, 100)}")


def read_metadata_token(answer: Answer, where: str) -> FetchedKey:
    """The token in an answer of a metadata server. Raises CommandError."""
    if answer.status != 200:
        reason = "this machine has no identity there" if answer.status in (400, 404) else "it gave no token"
        raise CommandError(f"{where} answered {answer.status}: {reason}.")
    fields = read_object(answer) or {}
    token = fields.get("access_token")
    key = check_key(token if isinstance(token, str) else "", f"the access token of {where}")
    return FetchedKey(Secret(key), read_seconds(fields.get("expires_in")))
