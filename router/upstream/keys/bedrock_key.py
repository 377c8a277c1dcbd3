"""The short-term Bedrock key that AWS documents for every tool: a presigned URL in base64, made on this machine.

It holds no secret key, and is valid for one region and action, for as long as it says and no longer than the session of
the credentials that it was made from. Source: aws/aws-bedrock-token-generator-python, and Signature Version 4 with the
parameters in the query (AWS General Reference).
"""

import binascii
import hashlib
import hmac
import time
from urllib.parse import quote, urlencode

from router.settings import Secret
from router.upstream.keys.aws_credentials import AwsCredentials
from router.upstream.keys.fetched_key import FetchedKey

#: AWS allows up to twelve hours; a shorter life is worth less to others.
LIFE_SECONDS = 3600
_HOST, _PREFIX = "bedrock.amazonaws.com", "bedrock-api-key-"
_ALGORITHM = "AWS4-HMAC-SHA256"
_NOTHING = hashlib.sha256(b"").hexdigest()
_MARKS = "-_.~"


def make_key(credentials: AwsCredentials, region: str, now: float, seconds: int = LIFE_SECONDS) -> FetchedKey:
    """A key for a region. now: seconds since 1970. seconds: its life, which that of the credentials cuts."""
    presigned, signature = _presign(credentials, region, now, seconds)
    coded = binascii.b2a_base64(f"{presigned}&Version=1".encode(), newline=False).decode()
    life = float(seconds) if credentials.ends_in is None else min(float(seconds), credentials.ends_in)
    parts = (*credentials.secrets, Secret(presigned), Secret(signature))
    return FetchedKey(Secret(_PREFIX + coded), life, parts)


def _presign(credentials: AwsCredentials, region: str, now: float, seconds: int) -> tuple[str, str]:
    """The presigned URL without its scheme, and the signature in it."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{moment[:8]}/{region}/bedrock/aws4_request"
    fields = [
        ("Action", "CallWithBearerToken"),
        ("X-Amz-Algorithm", _ALGORITHM),
        ("X-Amz-Credential", f"{credentials.id}/{scope}"),
        ("X-Amz-Date", moment),
        ("X-Amz-Expires", str(seconds)),
        ("X-Amz-SignedHeaders", "host"),
    ]
    if credentials.session:
        fields.append(("X-Amz-Security-Token", credentials.session))
    query = urlencode(sorted(fields), quote_via=quote, safe=_MARKS)
    request = f"POST\n/\n{query}\nhost:{_HOST}\n\nhost\n{_NOTHING}"
    signed = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret}".encode()
    for part in (moment[:8], region, "bedrock", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, signed.encode(), "sha256").hex()
    sent = urlencode(fields, quote_via=quote, safe=_MARKS)
    return f"{_HOST}/?{sent}&X-Amz-Signature={signature}", signature
