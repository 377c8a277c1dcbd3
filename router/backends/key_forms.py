"""Whose a credential is, as far as its form shows it. No I/O.

The forms of the known providers' keys stand with them (`Known.key_prefixes`); here are those that several providers
share, those of logins, and those of other issuers.
"""

import base64
import binascii
import re
from typing import NamedTuple

from router.backends import Known
from router.backends.providers import PROVIDERS

#: A key that nobody has, of no provider's form: sent in place of one to see whether keys are looked at.
WRONG_KEY = "wrong-key-of-fairlead-conform"


class KeyForm(NamedTuple):
    """How credentials of one issuer begin, and who may get them."""

    #: The first letters; capitals count.
    begins: str
    #: The issuer, as texts name it.
    issuer: str
    #: The known providers that take such a credential, by name.
    takers: frozenset[str]
    #: Backends whose provider is not known, and servers that users run themselves, take it too: they may have keys of
    #: any form, or be the issuer's.
    elsewhere: bool = False


# Providers whose keys are documented to have a form of their own alone take nothing else. OpenAI's older keys and its
# logins have forms that others use too.
_MIXED = frozenset(
    entry.name for entry in PROVIDERS if entry.needs_key and (not entry.key_prefixes or entry.name == "openai")
)
_NOBODY = frozenset[str]()
_STARTS = {
    start: [entry for entry in PROVIDERS if start in entry.key_prefixes]
    for start in dict.fromkeys(start for entry in PROVIDERS for start in entry.key_prefixes)
}

#: Every form that is known, the longest beginning first.
FORMS: tuple[KeyForm, ...] = tuple(
    sorted(
        (
            *(
                KeyForm(start, entries[0].title, frozenset(entry.name for entry in entries))
                for start, entries in _STARTS.items()
            ),
            KeyForm("sess-", "OpenAI", frozenset(("openai",))),
            KeyForm("fw_", "Fireworks AI", frozenset(("fireworks",))),
            KeyForm("ya29.", "Google", frozenset(("gemini", "vertex", "claude-gcp"))),
            # `sk-` alone is what OpenAI's older keys begin with, and those of many that followed its API.
            KeyForm("sk-", "OpenAI, or a provider that follows its API,", _MIXED, elsewhere=True),
            KeyForm("eyJ", "a login (a JWT)", _MIXED, elsewhere=True),
            *(
                KeyForm(start, issuer, _NOBODY, elsewhere=True)
                for issuer, starts in (
                    ("GitHub", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_")),
                    ("GitLab", ("glpat-",)),
                    ("Replicate", ("r8_",)),
                    ("AWS", ("AKIA", "ASIA")),
                )
                for start in starts
            ),
        ),
        key=lambda form: -len(form.begins),
    )
)
_BY_START = {form.begins[:2]: [one for one in FORMS if one.begins[:2] == form.begins[:2]] for form in FORMS}
#: The tokens of a login at ChatGPT name their issuer inside.
_CHATGPT = KeyForm("eyJ", "OpenAI", frozenset(("openai",)))

_WORD = re.compile(r"[A-Za-z0-9._-]+")
# Bytes; a longer value is no credential of a known form, and is not decoded.
_DECODED_LIMIT = 16_384


def find_forms(value: str) -> list[KeyForm]:
    """The known forms in the value of a header, whatever its scheme (`Bearer …`, `Basic …`); empty where none shows."""
    scheme, _, rest = value.strip().partition(" ")
    text = _decode(rest.strip()) if scheme.lower() == "basic" else value
    return [form for word in _WORD.findall(text) if (form := _find_form(word)) is not None]


def _find_form(word: str) -> KeyForm | None:
    form = next((form for form in _BY_START.get(word[:2], ()) if word.startswith(form.begins)), None)
    if form is not None and form.begins == _CHATGPT.begins:
        # Header, payload and signature (RFC 7519, 3).
        payload = word.partition(".")[2].partition(".")[0]
        return _CHATGPT if "openai.com" in _decode(payload) else form
    return form


def find_foreign_form(vendor: Known | None, value: str) -> KeyForm | None:
    """The form of a credential that must not go to this provider, None for one that may. vendor: None for a backend
    whose provider is not known. value: of the header it stands in."""
    name = "" if vendor is None else vendor.name
    others = vendor is None or bool(vendor.start)
    return next(
        (form for form in find_forms(value) if name not in form.takers and not (others and form.elsewhere)), None
    )


def _decode(text: str) -> str:
    """The text behind base64 or base64url, '' for what is neither."""
    if len(text) > _DECODED_LIMIT:
        return ""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("latin-1")
    except binascii.Error:
        return ""
