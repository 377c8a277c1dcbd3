"""Every regular expression of the code, what it reads, and that its time grows with its text alone.

An expression holds the interpreter until it has ended, and all requests with it. So each is listed here with the
longest text that it gets, and is tried with texts made for it: what leads to each of its parts, each part again and
again, and an end that does not match.
"""

import re
import sys
from typing import NamedTuple

import pytest

from .regular_expressions import ROUTER, find_slow, find_uses, pattern_of


class Input(NamedTuple):
    """What an expression reads."""

    what: str
    #: Characters or bytes of the longest one.
    longest: int


BODY = Input("a body of a request or an answer, or a part of it", 64 << 20)
HEAD = Input("a field or a line of a head, a path, or a part of it", 65_536)
PART = Input("the head of a part of a multipart body, or a field of a request", 65_536)
TEXT = Input("a text of a body that is cut before", 4096)
BEGINNING = Input("the beginning of an error", 4096)
ERROR = Input("the beginning of an error that may tell of limits", 16_384)
ERRORS = Input("an error that is searched for secrets", 1 << 20)
SHOWN = Input("the text of an error in the history", 200)
NAME = Input("the name of a model", 256)
DIGITS = Input("a duration that is cut before", 18)
END = Input("the end of an id", 64)
FILE = Input("a file that the user names, or a part of it", 1 << 20)
SETTING = Input("a setting, a key, or an argument of a command", 1 << 20)
OUTPUT = Input("the last line that a command wrote", 65_536)
MANIFEST = Input("a field of the description of a release, whose signature was verified", 1 << 20)
OWN = Input("a text of fairlead itself, or of a library", 4096)

#: File -> name of the expression, or its source where it has none -> what it reads.
BOUNDS: dict[str, dict[str, Input]] = {
    "admin/dispatch.py": {
        "'/api/(?:chat|generate|tags|show|embed|embeddings|version|ps|pull)/?$'": HEAD,
        "'/v1(?:beta\\\\d*|alpha)(?:/|$)'": HEAD,
        "'/openai/deployments/'": HEAD,
        "'/model/[^/]+/(?:invoke|converse)'": HEAD,
    },
    "backends/cache_rules.py": {
        "pattern": NAME,
    },
    "backends/hosts.py": {
        "_NAME": SETTING,
        "_NUMBER": SETTING,
        "_ZONE": SETTING,
    },
    "backends/key_forms.py": {
        "_WORD": HEAD,
    },
    "backends/known.py": {
        "_VERSION_SEGMENT": SETTING,
        "_URL_CHARACTERS": SETTING,
        "_ENDPOINT": SETTING,
        "_NOT_FOR_TEXT": SETTING,
    },
    "backends/output_limits.py": {
        "f'(?:^|/)~?{name}'": NAME,
    },
    "cli/backend/apply.py": {
        "text": OWN,
    },
    "cli/common/layout.py": {
        "_COMMAND": OWN,
        "_LABEL": OWN,
    },
    "cli/common/parser.py": {
        "named": SETTING,
    },
    "cli/config/import_ccr.py": {
        "_VARIABLE": FILE,
        "'[1-9]\\\\d{0,11}'": FILE,
    },
    "cli/config/import_litellm.py": {
        "_VARIABLE": FILE,
        "family": FILE,
    },
    "cli/config/import_plan.py": {
        "_ENDPOINT": FILE,
        "_REFERENCE": FILE,
        "'[^a-z0-9_-]+'": FILE,
    },
    "cli/config/import_text.py": {
        "_COMMENT": FILE,
        "_TRAILING_COMMA": FILE,
        "_BRACKET": FILE,
    },
    "cli/config/judge.py": {
        "_LINE": OWN,
    },
    "cli/inspect/explain.py": {
        "_HEADER": SETTING,
    },
    "cli/inspect/next_step.py": {
        "_TIMEOUT": SHOWN,
        "_OWN_LIMIT": SHOWN,
    },
    "cli/inspect/usage.py": {
        "match": SETTING,
    },
    "demo/script.py": {
        "_WORD": BODY,
        "_NAME_PART": BODY,
    },
    "exchange/client_response/respond.py": {
        "_ERROR_IN_200": BODY,
    },
    "exchange/request/overflow.py": {
        "_ESCAPED": Input("a request that was too long, up to that size", 1 << 20),
    },
    "exchange/upstream_response/error_peek.py": {
        "SEALED_REFUSED": BODY,
    },
    "exchange/usage.py": {
        "_FIELD": BODY,
    },
    "host/access.py": {
        "_HOST": HEAD,
        "_ORIGIN": HEAD,
        "_JSON": HEAD,
    },
    "installation/upgrade/release.py": {
        "_NAME": MANIFEST,
        "_DIGEST": MANIFEST,
    },
    "net/client/pool.py": {
        "_KEEP_ALIVE": HEAD,
    },
    "net/server/chunk_lines.py": {
        "_SIZE": HEAD,
    },
    "net/server/request_path.py": {
        "_BACKSLASH": HEAD,
        "_DOTS": HEAD,
        "_ENDS_IN_NAME": HEAD,
        "_SLASH": HEAD,
        "_SUSPECT": HEAD,
        "b'%(?![0-9A-Fa-f]{2})'": HEAD,
        "b'%25'": HEAD,
        "b'%[01][0-9A-Fa-f]|%7[fF]'": HEAD,
        "b';|%3[bB]'": HEAD,
    },
    "policy/accounts/retry.py": {
        "b'stream_options'": BODY,
    },
    "policy/accounts/session_key.py": {
        "_SESSION": TEXT,
        "_FAMILY": NAME,
    },
    "policy/cache/canonical.py": {
        "_VALUE": BODY,
        "_COMMA": BODY,
    },
    "policy/cache/prompt.py": {
        "_TOOL_NAME": BODY,
    },
    "policy/budget/guard.py": {
        "_ID": HEAD,
    },
    "policy/budget/prices.py": {
        "'(?:anthropic/)?(claude-.+)'": NAME,
        "'(?:openai/)?((?:gpt-(?!oss)|chatgpt-|codex-|o\\\\d|text-embedding-).*)'": NAME,
        "'(?:google/|gemini/|models/)?(gemini-.+)'": NAME,
        "'(?:x-ai/|xai/)?(grok-.+)'": NAME,
        "match": NAME,
        "'[\\\\w.-]'": NAME,
    },
    "policy/routing/family_shortcuts.py": {
        "_LONG_SUFFIX": NAME,
        "_PIN": NAME,
        "f'grok-(?P<v>{_VERSION}){_STAMP}'": NAME,
        "'\\\\d[-_.]\\\\d'": NAME,
        "f'claude-(?:{family}(?:-(?P<v>{_VERSION}))?|(?P<w>{_VERSION})-{family}){_STAMP}'": NAME,
        "f'gpt-(?P<v>{_VERSION})(?P<o>o?){tier}{_STAMP}'": NAME,
        "f'gemini-(?P<v>{_VERSION})-{tier}{_STAMP}'": NAME,
        "'[.-]'": NAME,
    },
    "policy/routing/routes.py": {
        "_SMALL": NAME,
    },
    "policy/routing/rules.py": {
        "fnmatch.translate(pattern.replace('[', '[[]'))": NAME,
    },
    "policy/routing/vendor_names.py": {
        "_join(families[name])": NAME,
        "_join(published[name])": NAME,
    },
    "redaction.py": {
        "_BASE64": ERRORS,
        "_ESCAPE": ERRORS,
        "_DIGIT": NAME,
        "_FOLD": ERRORS,
        "_HEX": ERRORS,
        "KEYS": BODY,
        "b'[A-Za-z0-9+/_-]{%d}' % self._long": ERRORS,
        "_SCHEME": SETTING,
    },
    "settings/fields.py": {
        "_HEADER_NAME": SETTING,
        "_HEADER_VALUE": SETTING,
        "_TAG": SETTING,
        "_LOSS_PATH": SETTING,
    },
    "settings/kinds.py": {
        "_CONTROL": SETTING,
        "match": SETTING,
        "'[\\\\x21-\\\\x7e]+'": SETTING,
        "'[a-z0-9][a-z0-9_-]{0,63}'": SETTING,
        "'\\\\s*+[0-9]{4}-[0-9]{2}-[0-9]{2}\\\\s*+'": SETTING,
        "'\\\\s*+[0-9]{1,15}\\\\s*+'": SETTING,
        "_JOINERS": SETTING,
    },
    "settings/proxies.py": {
        "'[\\\\x00-\\\\x20\\\\x7f]'": SETTING,
    },
    "settings/secret_headers.py": {
        "_VALUE": SETTING,
        "_WORD": SETTING,
        "_ORDINARY": SETTING,
    },
    "settings/secret_names.py": {
        "_CAMEL": HEAD,
        "_STEMS": HEAD,
        "_WORDS": HEAD,
    },
    "store/config/backends.py": {
        "_NAME": FILE,
        "_ALIAS": FILE,
        "_BYTE": FILE,
    },
    "store/config/toml.py": {
        "_AT": OWN,
    },
    "store/config/toml_shape.py": {
        "_TOKEN": FILE,
    },
    "store/history/time_window.py": {
        "match": HEAD,
        "'\\\\d{4}-'": HEAD,
    },
    "store/home/client_key.py": {
        "_CONTAINER_GROUPS": OWN,
    },
    "store/home/home.py": {
        "b'[\\\\x21-\\\\x7e]{32,256}\\\\n?'": FILE,
    },
    "store/home/other_users.py": {
        "_ACTION": FILE,
    },
    "store/keys/own_keys.py": {
        "TOKEN": SETTING,
    },
    "store/keys/references.py": {
        "_VARIABLE": SETTING,
        "_FORM": SETTING,
        "_LOOKALIKE": SETTING,
    },
    "store/keys/secrets.py": {
        "_BEARER": SETTING,
        "_ASSIGNMENT": SETTING,
        "_VARIABLE": SETTING,
        "_PLACEHOLDER": SETTING,
        "'[\\\\x21-\\\\x7e]+'": SETTING,
    },
    "telemetry/accesslog.py": {
        "_VALUES": BODY,
    },
    "upstream/configured_headers.py": {
        "_NAME": SETTING,
        "_VALUE": SETTING,
    },
    "upstream/credentials.py": {
        "_NAMED": OUTPUT,
        "_WORD": OUTPUT,
    },
    "wire/costs/text_size.py": {
        "_ENCODED": BODY,
        "_REPEATED": BODY,
    },
    "wire/calls.py": {
        "_PREFIX": HEAD,
        "f\"^/(?:{'|'.join(own)}|{_SEGMENTS})(?:/|$)\"": HEAD,
        "_MODELS": HEAD,
    },
    "wire/chat/dialect.py": {
        "b'\"(?:prompt|completion)_tokens\"\\\\s*:\\\\s*[0-9]'": BODY,
    },
    "wire/costs/cost_traits.py": {
        "_BETWEEN": BODY,
        "_SEARCHERS": NAME,
        "_TOOLS": BODY,
    },
    "wire/costs/extras.py": {
        "_TIER": BODY,
        "_TIER_NAME": BODY,
    },
    "wire/errors/history_text.py": {
        "_SPACE": BEGINNING,
        "_SENTENCE": BEGINNING,
        "_ADVICE": BEGINNING,
    },
    "wire/errors/limits.py": {
        "_FIELD": ERROR,
        "_PART": ERROR,
        "_SENTENCE": ERROR,
        "_QUOTA_ID": ERROR,
        "_NO_QUOTA": ERROR,
        "_NAMED": ERROR,
        "_NAME": ERROR,
        "_QUOTED": ERROR,
    },
    "wire/errors/overflow.py": {
        "_OVERFLOW": BEGINNING,
        "_OUTPUT_LIMIT": BEGINNING,
        "_INPUT": BEGINNING,
        "_OUTPUT": BEGINNING,
        "_TOTAL": BEGINNING,
        "_WINDOW": BEGINNING,
        "_MAX_INPUT": BEGINNING,
    },
    "wire/errors/overflow_texts.py": {
        "_NUMBERED": ERRORS,
        "_ANTHROPIC": BEGINNING,
        "_OPENAI": BEGINNING,
    },
    "wire/errors/told_status.py": {
        "RATE": BEGINNING,
    },
    "wire/headers/rate_limit_names.py": {
        "_DURATION": DIGITS,
    },
    "wire/headers/times.py": {
        "_PART": HEAD,
        "_NUMBER": HEAD,
        "_HTTP": HEAD,
    },
    "wire/messages/errors.py": {
        "_OTHER_THINGS": BODY,
    },
    "wire/messages/foreign_thinking.py": {
        "REFUSED": BODY,
        "UNREADABLE": BODY,
        "_EMPTY": BODY,
    },
    "wire/messages/requests/encode_request.py": {
        "_PRIVATE": BODY,
    },
    "wire/neutral/context.py": {
        "_INDEX": OWN,
    },
    "wire/conversation/identifiers.py": {
        "_ILLEGAL": BODY,
    },
    "wire/neutral/provider_profiles.py": {
        "_VERSION": NAME,
        "_FAMILIES": NAME,
        "_UNVERSIONED": NAME,
        "_THINKERS": NAME,
        "found.fixed": NAME,
        "found.thinkers": NAME,
        "found.cachers": NAME,
        "found.stricters": NAME,
        "found.searchers": NAME,
        "found.tool_searchers": NAME,
    },
    "wire/conversation/replay_memory.py": {
        "_DRAWN": END,
    },
    "wire/neutral/tool_forms/freeform_tools.py": {
        "_BEGINNING": BODY,
        "_WHOLE": BODY,
        "_ESCAPE": BODY,
        "_HIGH_SURROGATE": BODY,
    },
    "wire/openai.py": {
        "_DATA_URL": BODY,
    },
    "wire/paths/spelling.py": {
        "_OTHER": HEAD,
        "_SLASHES": HEAD,
        "_SPELT": HEAD,
        "_STANDS": HEAD,
    },
    "wire/paths/tables.py": {
        "_CLOSED": HEAD,
        "'/v1/(?:' + '|'.join((one.replace('*', '[^/]+') for one in patterns)) + ')'": HEAD,
    },
    "wire/protocols.py": {
        "b'\"image\"|\\\\\\\\u00[67]'": BODY,
        "b'\"image_url\"|\\\\\\\\u00[567]'": BODY,
        "b'\"(?:input_image|computer_screenshot)\"|\\\\\\\\u00[567]'": BODY,
        "'/v1/messages/batches(?:/|$)'": HEAD,
        "'/v1/chat/[^/]*/'": HEAD,
    },
    "wire/raw/large_json.py": {
        "_SIGN": Input("the brackets and commas of 128 KiB of JSON", 128 << 10),
    },
    "wire/raw/lenient_json.py": {
        "_HALF": BODY,
    },
    "wire/raw/multipart.py": {
        "_PARAMETER": PART,
        "_DISPOSITION": PART,
        "_FOLDED": PART,
        "_ESCAPED": PART,
        "_AFTER": PART,
        "_UNSURE": PART,
        "_CONTROL": PART,
    },
    "wire/raw/object_end.py": {
        "_INSIDE": BODY,
        "_OUTSIDE": BODY,
    },
    "wire/raw/sse.py": {
        "_BLANK_LINE": BODY,
    },
    "wire/raw/structure.py": {
        "_BRACKETS": BODY,
    },
    "wire/raw/top_level.py": {
        "_SPACE": BODY,
        "_KEY": BODY,
        "_END": BODY,
        "_PLAIN_NAME": NAME,
        "_CONTROL": BODY,
    },
    "wire/resource_ids.py": {
        "_COLLECTION": HEAD,
        "_WORD": HEAD,
        "_ATTACHED": BODY,
        "_QUOTED": BODY,
        "_FIRST": BODY,
    },
    "wire/search_engines/engines.py": {
        "_DOMAIN": BODY,
    },
    "wire/stored_responses.py": {
        "_OWN": BODY,
        "_ITEM": BODY,
    },
}


def list_made():
    """Expressions that are made of what is known only when the code runs: the file, and each of them or examples."""
    from genai_prices.data import providers

    from router.backends import cache_rules, output_limits
    from router.backends.profile import Profile
    from router.backends.providers import PROVIDERS
    from router.policy.routing import family_shortcuts
    from router.policy.routing.rules import compile_glob
    from router.redaction import Redactor
    from router.wire import calls
    from router.wire.paths import tables

    yield from (("backends/cache_rules.py", one) for one, _ in cache_rules._RULES)
    yield from (("backends/output_limits.py", one) for one, _ in output_limits._LIMITS)
    families = [re.compile(one) for entry in PROVIDERS for one in entry.families]
    yield from (("policy/routing/vendor_names.py", one) for one in families)
    published = [re.compile(one) for entry in PROVIDERS for one in entry.published]
    yield from (("policy/routing/vendor_names.py", one) for one in published)
    yield "redaction.py", Redactor(("a-secret-of-a-usual-length",))._run
    yield from (("wire/paths/tables.py", one) for one in (tables._free, tables._retold))
    yield from (("cli/config/import_litellm.py", one) for one in families)
    yield from (("policy/budget/prices.py", re.compile(one.api_pattern)) for one in providers)
    for entry in family_shortcuts._NAMES.values():
        yield from (("policy/routing/family_shortcuts.py", one) for _, one in entry)
    for glob in ("*", "claude-*", "*a*a*a*a*b", "a*" * 30 + "b", "?*" * 20, "[a]*[!a]*x", "*" * 100 + "a"):
        yield "policy/routing/rules.py", compile_glob(glob)
    yield "wire/calls.py", calls._compile_bare()
    names = ("thinkers", "fixed", "cachers", "stricters", "searchers", "tool_searchers")
    profiles = [entry.profile for entry in PROVIDERS if isinstance(entry.profile, Profile)]
    for text in {getattr(one, name) for one in profiles for name in names} - {""}:
        yield "wire/neutral/provider_profiles.py", re.compile(text, re.IGNORECASE)


USES = find_uses()
# The search for expressions knows the module by this name alone.
_OTHER_IMPORT = re.compile(r"^\s*(?:from re import|import re as|import regex|import sre)", re.MULTILINE)


def test_every_expression_is_listed():
    """With what it reads; and nothing is listed that is gone."""
    found = {(use.file, use.name) for use in USES}
    assert not [path for path in ROUTER.rglob("*.py") if _OTHER_IMPORT.search(path.read_text(encoding="utf-8"))]
    listed = {(file, name) for file, names in BOUNDS.items() for name in names}
    assert found - listed == set(), "say in BOUNDS what these read"
    assert listed - found == set(), "these are gone"


def test_what_is_made_later_is_tried_too():
    """Each file that makes expressions of what it knows only then gives examples."""
    assert {use.file for use in USES if pattern_of(use) is None} == {file for file, _ in list_made()}


KNOWN = [
    pytest.param(pattern, BOUNDS[use.file][use.name].longest, use.scans, id=f"{use.file} {use.name[:40]}")
    for use in USES
    if use.file in BOUNDS and use.name in BOUNDS[use.file] and (pattern := pattern_of(use)) is not None
]


@pytest.mark.skipif(sys.platform == "win32", reason="the time of a thread cannot be limited there")
@pytest.mark.parametrize(("pattern", "longest", "scans"), KNOWN)
def test_an_expression_takes_no_longer_than_its_text_explains(pattern, longest, scans):
    """Not for runs of any of its parts, whatever leads to them and whatever follows."""
    assert find_slow(pattern, longest, scans=scans) is None


@pytest.mark.skipif(sys.platform == "win32", reason="the time of a thread cannot be limited there")
def test_an_expression_that_is_made_later_takes_no_longer_either():
    """Models are named by callers and upstreams, at most so long."""
    for file, pattern in list_made():
        longest = min(NAME.longest, *(one.longest for one in BOUNDS[file].values()))
        assert find_slow(pattern, longest, scans=True) is None, (file, pattern)


@pytest.mark.skipif(sys.platform == "win32", reason="the time of a thread cannot be limited there")
@pytest.mark.parametrize(
    "source",
    [
        rb"<title[^>]*>(.*?)</title>",
        r'(\\*"\s*:\s*\\*")(?:[^"\\]|\\.)*',
        r'"(?:file_ids|vector_store_ids)"\s*:\s*\[([^\]\\]{2,2048})\]',
        r",(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])",
        r"(\d+(?:\.\d+)?)(ms|h|m|s|d)",
        r"(?:a|a)*b",
        r"(a+)+$",
        r"\s+$",
        r"[ab]*[bc]*d",
    ],
)
def test_the_attacks_find_expressions_that_are_not_linear(source):
    """Those that held the proxy up once, and the usual ones."""
    assert find_slow(re.compile(source, re.DOTALL), 1 << 20, scans=True) is not None
