"""Which names say that a value is a secret: of headers, query parameters, settings, and members of JSON in logs.

A name is judged by its last word, whatever separates the words (`X-Api-Key`, `api_key`, `a[key]`, `accessToken`), or by
its end where nothing does (`xapikey`). Numbers and words that only say how a secret is written are passed over
(`token_b64`, `key2`). A list of known names would miss every gateway that calls its credential by a name of its own.
"""

import re
from functools import lru_cache

# What nobody calls a value that is not a secret, wherever it stands in the name.
_ANYWHERE = frozenset(
    (
        *("password", "passwords", "passwd", "passphrase", "secret", "secrets", "credential", "credentials"),
        *("bearer", "cookie", "cookies", "jwt", "jws", "dpop", "privatekey", "authorization"),
    )
)
_LAST = frozenset(
    (
        *("key", "token", "auth", "authn", "authentication", "oauth", "signature", "sig"),
        *("pass", "pwd", "pw", "pword", "passcode", "pin", "otp", "totp", "pat", "pem", "hmac", "sas", "cred", "creds"),
        *("assertion", "jsessionid", "phpsessid", "cert", "certificate", "dsn"),
    )
)
# Ends of names that are written in one word.
_ENDS = (
    *("key", "token", "secret", "password", "passwd", "passphrase", "passcode", "pwd", "pass", "pword"),
    *("auth", "authorization", "authentication", "signature", "credential", "credentials", "jwt", "cookie", "cert"),
)
# Ordinary words with such an end.
_ORDINARY = frozenset(
    (
        *(
            "monkey",
            "donkey",
            "turkey",
            "hockey",
            "jockey",
            "whiskey",
            "lackey",
            "hickey",
            "flunkey",
            "hotkey",
            "hotkeys",
        ),
        *("compass", "bypass", "trespass", "surpass"),
        *("overpass", "underpass", "encompass", "concert", "disconcert"),
    )
)
# Words after the one that counts: how the secret is written, or where.
_AFTER = frozenset(
    ("b", "base", "bin", "enc", "encoded", "encrypted", "header", "hex", "plain", "raw", "v", "val", "value")
)
# Whole names, without separators, of credentials that are called something else.
_NAMED = (
    *("accesskeyid", "googleaccessid", "connectionstring", "samlresponse", "honeycombteam", "portkeyconfig"),
    # Of several keys; the keys of a table or an object are none.
    *("vercelprotectionbypass", "apikeys", "accesskeys", "authkeys", "privatekeys", "secretkeys"),
)
# Ends of names, without separators, of what is called a key or token and is none: they tell requests, pages and places
# apart.
_HARMLESS = (
    *("idempotencykey", "idempotencekey", "idempotencytoken", "clientrequesttoken", "dedupekey", "deduplicationkey"),
    *("cachekey", "routingkey", "partitionkey", "shardkey", "sortkey", "affinitykey", "stickykey", "correlationkey"),
    *("pagetoken", "nexttoken", "continuationtoken", "skiptoken", "synctoken", "cursortoken"),
)
# Parts of names for display, where a harmless value that is hidden costs nothing.
_STEMS = re.compile(r"key|token|secret|passw|credential|auth|cookie|session|signature|jwt|bearer", re.IGNORECASE)
_WORDS = re.compile(r"[a-z]+|[0-9]+")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Characters. What decides stands at a name's end.
_JUDGED = 256


def is_secret_name(name: str) -> bool:
    """True for a name that says that its value is a secret."""
    return _is_secret(name[-_JUDGED:])


# The names are cut before, which bounds the cache in bytes too.
@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    lowered = name.lower()
    words = _WORDS.findall(lowered)
    joined = "".join(words)
    if joined.endswith(_HARMLESS):
        return False
    if joined.endswith(_NAMED) or not _ANYWHERE.isdisjoint(words) or _tells(words):
        return True
    if name == lowered:
        return False
    # Words that only capitals tell apart. Both readings count: a reader of `KEy` may take any case.
    words = [word.lower() for word in _CAMEL.findall(name)]
    return not _ANYWHERE.isdisjoint(words) or _tells(words)


def _tells(words: list[str]) -> bool:
    """True when the last word that counts is one of a secret."""
    last = next((word for word in reversed(words) if word not in _AFTER and not word.isdecimal()), "")
    return last in _LAST or (last.endswith(_ENDS) and last not in _ORDINARY)


def may_be_secret_name(name: str) -> bool:
    """True for a name that a secret's value might have too: for what is shown, never for what is sent."""
    return _STEMS.search(name) is not None or is_secret_name(name)
