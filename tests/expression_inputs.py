"""What regular expressions read: the kinds of it, the rows for the rooms that read what the operator and the machine
write, and examples of the expressions that are made when the code runs."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit


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
CAPTURED = Input("a body in a capture, or a part of it", 256 << 10)
NAME = Input("the name of a model", 256)
DIGITS = Input("a duration that is cut before", 18)
END = Input("the end of an id", 64)
FILE = Input("a file that the user names, or a part of it", 1 << 20)
SETTING = Input("a setting, a key, or an argument of a command", 1 << 20)
OUTPUT = Input("the last line that a command wrote", 65_536)
MANIFEST = Input("a field of the description of a release, whose signature was verified", 1 << 20)
REPORT = Input("the text of a report, which is searched for secrets", 1 << 20)
OWN = Input("a text of fairlead itself, or of a library", 4096)

#: File -> name of the expression, or its source where it has none -> what it reads.
OF_THE_OPERATOR: dict[str, dict[str, Input]] = {
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
    "watch/request_filter.py": {
        "_COUNT": SETTING,
        "_TERM": SETTING,
        "_STATUS": SETTING,
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
    "conform/evidence.py": {
        "_OWN": ERRORS,
    },
    "cli/doctor/redaction.py": {
        "_ADDRESS": REPORT,
        "_OWN": REPORT,
        "_URL": REPORT,
    },
    "setup/formats/json_scan.py": {
        "_SPACE": FILE,
        "_LINE_COMMENT": FILE,
        "_STRING": FILE,
        "_SCALAR": FILE,
    },
    "setup/formats/toml_edit.py": {
        "_AT": OWN,
    },
    "setup/state.py": {
        "_VERSION": BEGINNING,
    },
    "cli/inspect/explain.py": {
        "_HEADER": SETTING,
    },
    "watch/next_step.py": {
        "_TIMEOUT": SHOWN,
        "_OWN_LIMIT": SHOWN,
    },
    "cli/inspect/usage.py": {
        "match": SETTING,
    },
    "host/service/env_file.py": {
        "_LINE": FILE,
        "_VALUE": FILE,
    },
    "service/definition.py": {
        "_MARK": BEGINNING,
    },
    "service/unit.py": {
        "_PLAIN": FILE,
        "_QUOTED": FILE,
        "_ESCAPED": FILE,
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
    "settings/declaring/shared.py": {
        "_NAME": SETTING,
        "_ZONE": SETTING,
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
    "login/code.py": {
        "_CODE": HEAD,
    },
    "store/keys/references.py": {
        "_CLIENT_ID": SETTING,
        "_LOGIN": SETTING,
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
    "repro/fill.py": {
        "_PREFIX": CAPTURED,
        "_DATA_URL": CAPTURED,
        "_SCHEME": CAPTURED,
        "_TOKEN": CAPTURED,
        "_PLACE": CAPTURED,
        "_CONFIGURED": CAPTURED,
    },
    "repro/json_text.py": {
        "_PART": CAPTURED,
        "_ESCAPE": CAPTURED,
        "_COLON": CAPTURED,
    },
    "repro/make.py": {
        "_LIMIT_HEADERS": CAPTURED,
        "_LIMIT_VALUE": CAPTURED,
        "_WORD": CAPTURED,
        "_SEPARATOR": CAPTURED,
        "'[a-z, -]{1,40}'": CAPTURED,
        "'[0-9-]{1,20}'": CAPTURED,
        "'[a-z0-9, -]{1,400}'": CAPTURED,
        "'[0-9.]{1,12}'": CAPTURED,
        "'true|false'": CAPTURED,
        "'[a-z]{1,20}->[a-z]{1,20}'": CAPTURED,
        "'[0-9]{1,3}'": CAPTURED,
    },
    "repro/scan.py": {
        "_MAIL": CAPTURED,
        "_HOME": CAPTURED,
        "_WORD": CAPTURED,
        "_FILLER": CAPTURED,
    },
    "repro/shape.py": {
        "_DIALECT": CAPTURED,
        "_MODEL": CAPTURED,
        "_PLAIN_NAME": CAPTURED,
        "_CODE": CAPTURED,
    },
    "repro/streams.py": {
        "_LINE": CAPTURED,
        "_FIELD": CAPTURED,
    },
}


def list_made():
    """Expressions that are made of what is known only when the code runs: the file, and each of them or examples."""
    from router.backends import cache_rules, output_limits, variables
    from router.backends.profile import Profile
    from router.backends.providers import PROVIDERS
    from router.policy.budget.price_list import read_head, read_models
    from router.policy.grants.grant import compile_globs
    from router.policy.routing import family_shortcuts
    from router.policy.routing.rules import compile_glob
    from router.redaction import Redactor
    from router.wire import calls
    from router.wire.gemini import models
    from router.wire.paths import tables

    yield from (("backends/cache_rules.py", one) for one, _ in cache_rules._RULES)
    yield from (("backends/output_limits.py", one) for one, _ in output_limits._LIMITS)
    yield from (("wire/gemini/models.py", one) for one, _ in models._MODELS)
    for entry in PROVIDERS:
        yield from (("backends/endpoints.py", re.compile(one.models)) for one in entry.endpoints.values())
        if entry.variables:
            made = [*variables._compile(entry), *map(re.compile, variables._compile_hosts(entry))]
            made += [re.compile(one.pattern) for one in entry.variables.values()]
            made += [re.compile(pattern) for pattern, _ in entry.hosts]
            made += [
                re.compile(variables._express(entry, urlsplit(one).path)) for one in variables._list_templates(entry)
            ]
            yield from (("backends/variables.py", one) for one in made)
    families = [re.compile(one) for entry in PROVIDERS for one in entry.families]
    yield from (("policy/routing/vendor_names.py", one) for one in families)
    published = [re.compile(one) for entry in PROVIDERS for one in entry.published]
    yield from (("policy/routing/vendor_names.py", one) for one in published)
    yield "redaction.py", Redactor(("a-secret-of-a-usual-length",))._run
    yield from (("wire/paths/tables.py", one) for one in (tables._free, tables._retold))
    yield from (("cli/config/import_litellm.py", one) for one in families)
    for seller in read_head().providers:
        yield "policy/budget/prices.py", re.compile(seller.pattern)
        for model in read_models(seller.id):
            yield from (("policy/budget/price_list.py", re.compile(one)) for one in _list_expressions(model.match))
    for entry in family_shortcuts._NAMES.values():
        yield from (("policy/routing/family_shortcuts.py", one) for _, one in entry)
    for glob in ("*", "claude-*", "*a*a*a*a*b", "a*" * 30 + "b", "?*" * 20, "[a]*[!a]*x", "*" * 100 + "a"):
        yield "policy/routing/rules.py", compile_glob(glob)
        yield from (("policy/grants/grant.py", one) for one in compile_globs((glob,)))
    yield "wire/calls.py", calls._compile_bare()
    names = ("thinkers", "fixed", "cachers", "stricters", "searchers", "tool_searchers")
    profiles = [entry.profile for entry in PROVIDERS if isinstance(entry.profile, Profile)]
    for text in {getattr(one, name) for one in profiles for name in names} - {""}:
        yield "wire/neutral/provider_profiles.py", re.compile(text, re.IGNORECASE)


def _list_expressions(clause):
    """Those of a clause of the shipped prices, and of the clauses in it."""
    sign, word = clause
    if sign == "~":
        yield word
    elif sign in "|&":
        for one in word:
            yield from _list_expressions(one)
