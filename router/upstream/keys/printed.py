"""What a command prints in the place of a key: the key alone, an object with a token and its end, or AWS credentials.

Known forms: `az account get-access-token`, `gcloud config config-helper --format=json`, `aws configure
export-credentials --format process` (the output of an AWS `credential_process`), a Kubernetes ExecCredential, and the
answer of an OAuth token endpoint. Messages name fields, never values.
"""

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from router.errors import CommandError
from router.settings import Secret
from router.store.keys import secrets
from router.upstream.keys.aws_credentials import AwsCredentials, check_ends, read_process_output
from router.upstream.keys.expiry import find_life, find_token_life
from router.upstream.keys.fetched_key import FetchedKey

# In this order: an object may have an id token beside its access token.
_TOKENS = ("access_token", "accessToken", "token", "api_key", "key")
# The objects inside which a token may stand, and what writes them: gcloud's config-helper, Kubernetes.
_INSIDE = ("credential", "status")


def read_printed(text: str, where: str, now: float) -> FetchedKey | AwsCredentials:
    """What a command printed. where: how messages name it, such as `what the command az prints`. now: seconds since
    1970. Raises CommandError."""
    text = text.strip().strip("\ufeff").strip()
    if not text.startswith("{"):
        key = secrets.check_key(text, where)
        return FetchedKey(Secret(key), find_token_life(key, now))
    try:
        data = cast("object", msgspec.json.decode(text.encode("utf-8", "replace")))
    except (msgspec.DecodeError, RecursionError):
        raise CommandError(f"{where} begins like JSON, and is none.") from None
    # It begins with a brace.
    fields = cast("dict[str, object]", data)
    if "AccessKeyId" in fields or "SecretAccessKey" in fields:
        return read_process_output(fields, where, now)
    for inner in _list_objects(fields):
        for name in _TOKENS:
            value = inner.get(name)
            if isinstance(value, str) and value:
                return _read_token(value, {**fields, **inner}, f"the {name} in {where}", now)
    raise CommandError(
        f"{where} is a JSON object without a token; expected one of {', '.join(_TOKENS)}, or credentials of AWS "
        "(AccessKeyId, SecretAccessKey)."
    )


def _list_objects(fields: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    yield fields
    for name in _INSIDE:
        inner = fields.get(name)
        if isinstance(inner, dict):
            yield cast("dict[str, object]", inner)


def _read_token(value: str, fields: Mapping[str, object], where: str, now: float) -> FetchedKey:
    key = secrets.check_key(value, where)
    life = find_life(fields, now)
    if life is None:
        return FetchedKey(Secret(key), find_token_life(key, now))
    check_ends(life, where)
    return FetchedKey(Secret(key), life)
