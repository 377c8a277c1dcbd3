"""Every regular expression of the code, what it reads, and that its time grows with its text alone.

An expression holds the interpreter until it has ended, and all requests with it. So each is listed here with the
longest text that it gets, and is tried with texts made for it: what leads to each of its parts, each part again and
again, and an end that does not match.
"""

import re
import sys

import pytest

from .expression_inputs import (
    BEGINNING,
    BODY,
    DIGITS,
    END,
    ERROR,
    ERRORS,
    HEAD,
    NAME,
    OF_THE_OPERATOR,
    OUTPUT,
    OWN,
    PART,
    SETTING,
    TEXT,
    Input,
    list_made,
)
from .regular_expressions import ROUTER, find_slow, find_uses, pattern_of

#: File -> name of the expression, or its source where it has none -> what it reads.
BOUNDS: dict[str, dict[str, Input]] = {
    **OF_THE_OPERATOR,
    "admin/dispatch.py": {
        "'/api/(?:chat|generate|tags|show|embed|embeddings|version|ps|pull)/?$'": HEAD,
        "'/v1(?:beta\\\\d*|alpha)(?:/|$)'": HEAD,
        "'/openai/deployments/'": HEAD,
        "'/model/[^/]+/(?:invoke|converse)'": HEAD,
    },
    "admin/keys/process_keys.py": {
        "_NAME": NAME,
    },
    "policy/grants/key_form.py": {
        "_IN_TEXT": BODY,
    },
    "policy/grants/grant.py": {
        "translate(glob.replace('[', '[[]'))": NAME,
    },
    "backends/cache_rules.py": {
        "pattern": NAME,
    },
    "backends/endpoints.py": {
        "_VERSION": HEAD,
        "endpoint.models": NAME,
    },
    "backends/hosts.py": {
        "_NAME": SETTING,
        "_NUMBER": SETTING,
        "_ZONE": SETTING,
    },
    "store/keys/regions.py": {
        "_FORM": SETTING,
        "_HOST": NAME,
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
    "backends/old_roots.py": {
        "_AZURE": SETTING,
    },
    "backends/variables.py": {
        "_NAME": OWN,
        "pieces": OWN,
        "one.pattern": SETTING,
        "values": SETTING,
        "one": SETTING,
        "_express(entry, template)": SETTING,
        "pattern": SETTING,
    },
    "demo/full/answer.py": {
        "_CODE_WORD": BODY,
        "_LITERAL": BODY,
        "_LETTERS": BODY,
    },
    "demo/full/media.py": {
        "_SHOWN_TEXT": BODY,
    },
    "demo/reply.py": {
        "_WORD": BODY,
    },
    "demo/script.py": {
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
        "_USAGE": BODY,
        "_THINKING": BODY,
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
    "policy/budget/price_list.py": {
        "_COMPACT_DATE": NAME,
        "word": NAME,
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
    "telemetry/accesslog.py": {
        "_VALUES": BODY,
    },
    "settings/declaring/shared.py": {
        "_NAME": SETTING,
        "_ZONE": SETTING,
    },
    "upstream/export/headers.py": {
        "_NAME": SETTING,
        "_VALUE": SETTING,
    },
    "upstream/configured_headers.py": {
        "_NAME": SETTING,
        "_VALUE": SETTING,
    },
    "upstream/keys/expiry.py": {
        "_JWT": SETTING,
    },
    "upstream/keys/metadata.py": {
        "_HOST": SETTING,
    },
    "upstream/keys/commands.py": {
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
    "wire/gemini/answers/partial_arguments.py": {
        "_STEP": TEXT,
    },
    "wire/gemini/foreign_signatures.py": {
        "REFUSED": BODY,
    },
    "wire/gemini/models.py": {
        "pattern": NAME,
    },
    "wire/gemini/requests/resource_names.py": {
        "'(?:/upload)?/v1(?:alpha|beta)/files(?:/|$)'": HEAD,
        "'/v1(?:alpha|beta)?/cachedContents(?:/|$)'": HEAD,
        "'/v1(?:alpha|beta)?/interactions(?:/|$)'": HEAD,
        "'/v1(?:alpha|beta)/batches(?:/|$)'": HEAD,
        "'/v1(?:alpha|beta)?/operations(?:/|$)'": HEAD,
        "'/v1(?:alpha|beta)?/tunedModels(?:/|$)'": HEAD,
        "'(?:/upload)?/v1(?:alpha|beta)?/fileSearchStores(?:/|$)'": HEAD,
        "_IN_PATH": HEAD,
        "_WHOLE": BODY,
        "_FILE": BODY,
        "_CACHE": BODY,
        "_EARLIER": BODY,
    },
    "wire/gemini/traits.py": {
        "_MEDIA_TYPE": BODY,
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
    "wire/paths/upstream.py": {
        "_UNFIT": NAME,
    },
    "wire/protocols.py": {
        "b'\"image\"|\\\\\\\\u00[67]'": BODY,
        "b'\"image_url\"|\\\\\\\\u00[567]'": BODY,
        "b'\"(?:input_image|computer_screenshot)\"|\\\\\\\\u00[567]'": BODY,
        "'/v1/messages/batches(?:/|$)'": HEAD,
        "'/v1/chat/[^/]*/'": HEAD,
    },
    "wire/raw/json/large_json.py": {
        "_SIGN": Input("the brackets and commas of 128 KiB of JSON", 128 << 10),
    },
    "wire/raw/json/lenient_json.py": {
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
    "wire/raw/json/object_end.py": {
        "_INSIDE": BODY,
        "_OUTSIDE": BODY,
        "_WITHIN": BODY,
    },
    "wire/raw/json/places.py": {
        "_SPACE": BODY,
        "_LITERAL": BODY,
        "_ESCAPE": BODY,
    },
    "wire/raw/sse.py": {
        "_BLANK_LINE": BODY,
    },
    "wire/raw/json/structure.py": {
        "_BRACKETS": BODY,
    },
    "wire/raw/json/top_level.py": {
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
        "_ESCAPED": BODY,
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


# The search for expressions knows the module by this name alone.
_OTHER_IMPORT = re.compile(r"^\s*(?:from re import|import re as|import regex|import sre)", re.MULTILINE)


def test_every_expression_is_listed():
    """With what it reads; and nothing is listed that is gone."""
    found = {(use.file, use.name) for use in find_uses()}
    assert not [path for path in ROUTER.rglob("*.py") if _OTHER_IMPORT.search(path.read_text(encoding="utf-8"))]
    listed = {(file, name) for file, names in BOUNDS.items() for name in names}
    assert found - listed == set(), "say in BOUNDS what these read"
    assert listed - found == set(), "these are gone"


def test_what_is_made_later_is_tried_too():
    """Each file that makes expressions of what it knows only then gives examples."""
    assert {use.file for use in find_uses() if pattern_of(use) is None} == {file for file, _ in list_made()}


@pytest.mark.skipif(sys.platform == "win32", reason="the time of a thread cannot be limited there")
@pytest.mark.parametrize("file", BOUNDS)
def test_expressions_take_no_longer_than_their_texts_explain(file):
    """Not for runs of any of their parts, whatever leads to them and whatever follows."""
    slow = {}
    for use in find_uses():
        # Those that are not listed, and those that are made later, have tests of their own.
        if use.file == file and use.name in BOUNDS[file] and (pattern := pattern_of(use)) is not None:
            slow[use.name] = find_slow(pattern, BOUNDS[file][use.name].longest, scans=use.scans)
    assert {name: attack for name, attack in slow.items() if attack is not None} == {}


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
