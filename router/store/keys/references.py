"""References: where a key is taken from when it is needed.

Forms, as they stand in `backends/NAME.json`:

    env:VARIABLE           a variable of the process that needs the key
    file:PATH              a private file: an absolute path, or one that begins with ~
    cmd:["WORD", …]        the output of a command; a JSON list, since no shell splits it
    keyring:SERVICE/USER   an entry of the system's keyring
    login:NAME             the token of a login (`fairlead login NAME`)
    aws:bedrock            a short-term Bedrock key made here from the AWS credentials of the environment, or of the
                           profile that it names; aws:bedrock/PROFILE from those of a profile
    google:FILE            an access token for the service account whose key is in this file; google:adc where
                           Google's application default credentials name the file, google:metadata from the metadata
                           server of Google Cloud
    azure:metadata         an access token of this machine's managed identity in Azure; azure:metadata/CLIENT_ID of one
                           of several

A Bedrock key is for one AWS region, which `@REGION` at the end of an aws: or cmd: reference names; without it, it is
that of the backend's URL.

Any other text is the key itself. Messages here show a command by its first word only.
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, cast

from router.errors import CommandError
from router.store.keys.regions import is_region

Kind = Literal["env", "file", "cmd", "keyring", "login", "aws", "google", "azure"]
LENGTH = 4096
WORDS = 256

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORM = re.compile(r"(env|file|cmd|keyring|login|aws|google|azure):(.*)", re.DOTALL)
_LOGIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# References of other tools, and misspelled forms: URLs such as op://vault/item. None of them can be a key.
_LOOKALIKE = re.compile(
    r"(?:env|file|cmd|command|keyring|login|exec|aws|google|azure|[a-z][a-z0-9+.-]*(?=://)):", re.IGNORECASE
)
_CLIENT_ID = re.compile(r"[0-9A-Fa-f-]{1,64}")
# The kinds whose key may hang on the region.
_REGIONAL = ("aws:", "cmd:")
_METADATA = "metadata"
_SHELL = set("|&;<>()$`\n")


class Reference(NamedTuple):
    """The parts of a reference."""

    kind: Kind
    #: By kind: the variable; the path; the command's words; service and user; the login's name; `bedrock` and the
    #: profile, '' for none; `adc`, `metadata` or the path; `metadata` and the client id, '' for none.
    words: tuple[str, ...]
    #: The AWS region that it names, '' without one.
    region: str = ""

    def __repr__(self) -> str:
        # A command's words may hold secrets.
        return f"Reference({self.kind})"


def parse(text: str) -> Reference | None:
    """The reference in place of a stored key, None for a key itself. Raises CommandError when it is malformed."""
    match = _FORM.match(text)
    if match is None:
        return None
    kind, rest = cast("Kind", match[1]), match[2]
    if len(rest) > LENGTH:
        raise CommandError(f"the {kind}: reference is longer than {LENGTH} characters.")
    rest, region = _split_region(rest) if text.startswith(_REGIONAL) else (rest, "")
    return Reference(kind, _READERS[kind](rest), region)


def looks_like_one(text: str) -> bool:
    """True for a text in the form of a reference, fairlead's or another tool's; it is no key."""
    return _LOOKALIKE.match(text) is not None


def to_variable(name: str) -> str:
    """`env:NAME`. Raises CommandError when no variable can have that name."""
    return f"env:{_check_variable(name)[0]}"


def to_file(path: str) -> str:
    """`file:PATH`. Raises CommandError for a path that depends on the working directory."""
    return f"file:{_check_path(path)[0]}"


def to_command(line: str) -> str:
    """`cmd:[…]` from a command line, or from a JSON list of words. Raises CommandError."""
    words = _parse_list(line) if line.lstrip().startswith("[") else _check_words(_split(line))
    return f"cmd:{json.dumps(words, ensure_ascii=False)}"


def to_entry(entry: str) -> str:
    """`keyring:SERVICE/USER`. Raises CommandError."""
    return f"keyring:{'/'.join(_split_entry(entry))}"


def to_login(name: str) -> str:
    """`login:NAME`. Raises CommandError when no login can have that name."""
    return f"login:{_check_login(name)[0]}"


def to_cloud(source: str) -> str:
    """The reference of a cloud's own credentials, which is what the user names. Raises CommandError for another one."""
    if not source.startswith(("aws:", "google:", "azure:")):
        raise CommandError(
            f"{_quote(source)} is no source of a cloud's keys.",
            "Known: aws:bedrock, aws:bedrock/PROFILE, google:FILE, google:adc, google:metadata, azure:metadata.",
        )
    parse(source)
    return source


def add_region(text: str, region: str) -> str:
    """The reference with the AWS region that a Bedrock key made by it is for. Keys that hang on none, and a reference
    that names its own, stay as they are. region: '' for none."""
    if not region or not text.startswith(_REGIONAL) or _split_region(text)[1]:
        return text
    return f"{text}@{region}"


def find_login(text: str) -> str:
    """The login that a reference names, '' for other keys and for a malformed one."""
    name = text.removeprefix("login:")
    return name if name != text and _LOGIN.fullmatch(name) else ""


def find_variable(text: str) -> str:
    """The variable that a reference names, '' for other keys and for a malformed one."""
    try:
        found = parse(text)
    except CommandError:
        return ""
    return found.words[0] if found is not None and found.kind == "env" else ""


def describe(text: str, environ: Mapping[str, str], where: str = "") -> str:
    """The text for a key in lists: where it comes from, never the key. where: whose environment it is, with a space
    before it."""
    try:
        found = parse(text)
    except CommandError:
        return f"key by {text.partition(':')[0]}: reference, malformed"
    if found is None:
        return "key stored"
    if found.kind == "env":
        return f"key from ${found.words[0]} ({'set' if environ.get(found.words[0]) else 'not set'}{where})"
    if found.kind == "file":
        missing = "" if os.path.lexists(os.path.expanduser(found.words[0])) else " (missing)"
        return f"key from file {found.words[0]}{missing}"
    if found.kind == "cmd":
        return f"key from command {found.words[0]}"
    if found.kind == "login":
        return f"key from login {found.words[0]}"
    if found.kind in ("aws", "google", "azure"):
        return f"key from {_describe_cloud(found)}"
    return f"key from keyring {'/'.join(found.words)}"


def _describe_cloud(found: Reference) -> str:
    if found.kind == "aws":
        return f"AWS credentials of the profile {found.words[1]}" if found.words[1] else "AWS credentials"
    if found.words[0] == _METADATA:
        return f"the metadata server of {found.kind.capitalize()}"
    if found.words[0] == "adc":
        return "Google's application default credentials"
    missing = "" if os.path.lexists(os.path.expanduser(found.words[0])) else " (missing)"
    return f"Google service account {found.words[0]}{missing}"


def source(text: str) -> str:
    """The kind of a key for JSON: `stored`, `env`, `file`, `cmd`, `keyring`, `login`, `aws`, `google` or `azure`."""
    match = _FORM.match(text)
    return match[1] if match else "stored"


def _check_variable(name: str) -> tuple[str, ...]:
    if not _VARIABLE.fullmatch(name) or len(name) > LENGTH:
        raise CommandError(
            f"{_quote(name)} is not a valid environment variable name.", "Give only the name, without $ or =."
        )
    return (name,)


def _check_path(path: str) -> tuple[str, ...]:
    if not path or not path.isprintable() or len(path) > LENGTH:
        raise CommandError("the key file's path is empty, too long, or has a control character.")
    if not os.path.isabs(os.path.expanduser(path)):
        raise CommandError(
            f"the key file's path is {_quote(path)}; expected an absolute one, or one that begins with ~/.",
            f"Here that is:   {shlex.quote(os.path.abspath(path))}",
        )
    return (path,)


def _parse_list(text: str) -> tuple[str, ...]:
    try:
        words: object = json.loads(text)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in cast("list[Any]", words)):
        raise CommandError('the cmd: reference is not a JSON list of words, such as cmd:["pass", "show", "x"].')
    return _check_words(cast("list[str]", words))


def _check_words(words: list[str]) -> tuple[str, ...]:
    if not words or not words[0].strip():
        raise CommandError("the command for the key is empty.")
    if len(words) > WORDS or sum(map(len, words)) > LENGTH:
        raise CommandError(f"the command for the key is longer than {WORDS} words or {LENGTH} characters.")
    if not words[0].isprintable() or any("\0" in word for word in words):
        raise CommandError("the command for the key has a control character.")
    named = os.path.expanduser(words[0])
    if (os.sep in named or "/" in named) and not os.path.isabs(named):
        raise CommandError(
            f"the command for the key is {_quote(words[0])}; expected a name on PATH or an absolute path.",
            f"Here that is:   {shlex.quote(os.path.abspath(words[0]))}",
        )
    return tuple(words)


def _split(line: str) -> list[str]:
    sign = _find_shell_sign(line)
    if sign:
        raise CommandError(
            f"the command for the key has a {sign} for a shell, and none runs.",
            "Ask for one in so many words:   --key-cmd \"sh -c '…'\"",
        )
    try:
        if sys.platform == "win32":
            # Backslashes separate folders there.
            return [word.strip('"') for word in shlex.split(line, posix=False)]
        return shlex.split(line)
    except ValueError as problem:
        raise CommandError(f"the command for the key cannot be split into words: {problem}.") from None


def _find_shell_sign(line: str) -> str:
    """The first character, as an error names it, that a shell would interpret, '' when there is none."""
    quote, skip = "", False
    for char in line:
        if skip:
            skip = False
        elif char == "\\" and quote != "'":
            skip = True
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif char in _SHELL and (not quote or (quote == '"' and char in "$`")):
            return "line end" if char == "\n" else char
    return ""


def _split_entry(text: str) -> tuple[str, ...]:
    service, _, user = text.rpartition("/")
    if not service or not user or not text.isprintable() or len(text) > LENGTH:
        raise CommandError(f"{_quote(text)} is not a keyring entry; expected SERVICE/USER.")
    return service, user


def _check_login(name: str) -> tuple[str, ...]:
    if not _LOGIN.fullmatch(name):
        raise CommandError(
            f"{_quote(name)} cannot be a login's name; expected 1 to 64 of a-z, 0-9, - and _, a letter or digit first."
        )
    return (name,)


def _split_region(text: str) -> tuple[str, str]:
    """A reference, or the end of one, without the region behind it, and that region, '' without one."""
    rest, _, region = text.rpartition("@")
    return (rest, region) if rest and is_region(region) else (text, "")


def _read_aws(text: str) -> tuple[str, ...]:
    named, slash, profile = text.partition("/")
    if named != "bedrock" or (slash and not profile.strip()) or not text.isprintable():
        raise CommandError(
            f"the aws: reference names {_quote(text)}; expected bedrock, or bedrock/PROFILE.",
            "Of a profile:   aws:bedrock/PROFILE",
        )
    return named, profile


def _read_google(text: str) -> tuple[str, ...]:
    return (text,) if text in ("adc", _METADATA) else _check_path(text)


def _read_azure(text: str) -> tuple[str, ...]:
    named, slash, client = text.partition("/")
    if named != _METADATA or (slash and not _CLIENT_ID.fullmatch(client)):
        raise CommandError(
            f"the azure: reference names {_quote(text)}; expected metadata, or metadata/CLIENT_ID.",
            "A login of the command az:   --key-cmd 'az account get-access-token --resource https://ai.azure.com'",
        )
    return named, client


def _quote(text: str) -> str:
    """A user's text for a message: on one line, at most 80 characters, in quotes."""
    cut = text if len(text) <= 80 else text[:79] + "…"
    return '"' + "".join(char if char.isprintable() else "?" for char in cut) + '"'


_READERS = {
    "env": _check_variable,
    "file": _check_path,
    "cmd": _parse_list,
    "keyring": _split_entry,
    "login": _check_login,
    "aws": _read_aws,
    "google": _read_google,
    "azure": _read_azure,
}
