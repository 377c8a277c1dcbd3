"""The user's AWS credentials: of the environment, of a profile's file, or of the program that a profile names.

Rules of this file: the parts of credentials always come from one place, so that the session token of the environment is
never used with the keys of a profile; a profile that gets its credentials by a role, a sign-on or a token is left to
the program aws, which knows all of these; no message shows a value. Sources: AWS SDKs and Tools Reference Guide (shared
config and credentials files, settings reference, process credential provider).
"""

import configparser
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from router.errors import CommandError
from router.policy.accounts.retry import format_duration
from router.settings import Secret
from router.store.home.permissions import read_secret, shown, word
from router.upstream.keys.expiry import read_moment

FILE_LIMIT = 1 << 20
_EXPORT = "aws configure export-credentials --format process"
_ID, _SECRET, _TOKEN = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"
# Settings of a profile whose credentials only the program aws can get.
_BY_AWS = ("role_arn", "web_identity_token_file", "sso_session", "sso_start_url", "sso_account_id", "login_session")
_PROCESS = "credential_process"


class AwsCredentials(NamedTuple):
    """Credentials of AWS."""

    id: str
    secret: str
    #: '' for those of a user, which have no session.
    session: str = ""
    #: Seconds that they are valid for; None where that is not known.
    ends_in: float | None = None

    def __repr__(self) -> str:
        return "AwsCredentials(set)"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What nobody may see of them."""
        return tuple(Secret(part) for part in (self.secret, self.session) if part)


class Process(NamedTuple):
    """The program that a profile names; its words may hold secrets."""

    words: tuple[str, ...]
    profile: str

    def __repr__(self) -> str:
        return f"Process({self.profile})"


def find_credentials(profile: str, environ: Mapping[str, str]) -> AwsCredentials | Process:
    """The credentials of a profile; where none is named, those of the environment, or of the profile that $AWS_PROFILE
    names. Reads files. Raises CommandError."""
    if not profile:
        found = _read_environment(environ)
        if found is not None:
            return found
    named = profile or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    return _read_profile(named, environ, chosen=bool(profile))


def _read_environment(environ: Mapping[str, str]) -> AwsCredentials | None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    values = [environ.get(name, "").strip() for name in names]
    if not any(values):
        return None
    if not all(values):
        missing = names[values.index("")]
        raise CommandError(f"${missing} is not set, and the variable that belongs to it is.", f"Set ${missing} too.")
    session = environ.get("AWS_SESSION_TOKEN", "").strip()
    return _check(AwsCredentials(values[0], values[1], session), "the environment")


def _read_profile(profile: str, environ: Mapping[str, str], *, chosen: bool) -> AwsCredentials | Process:
    credentials = _locate(environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
    config = _locate(environ, "AWS_CONFIG_FILE", "config")
    own = _read_section(credentials, profile, secret=True)
    configured = _read_section(config, profile, secret=False)
    settings = {**(configured or {}), **(own or {})}
    by_aws = next((name for name in _BY_AWS if settings.get(name)), "")
    if by_aws:
        raise CommandError(
            f"the AWS profile {profile} gets its credentials by {by_aws}, which only the program aws can do.",
            f"Ask it for them:   --key-cmd {_export(profile)}",
        )
    found = _read_keys(own, f"the profile {profile} in {shown(credentials)}")
    if found is not None:
        return found
    if settings.get(_PROCESS):
        return Process(_split(settings[_PROCESS], profile), profile)
    found = _read_keys(configured, f"the profile {profile} in {shown(config)}")
    if found is not None:
        # It holds a secret after all.
        read_secret(config, FILE_LIMIT)
        return found
    where = f"{shown(credentials)} and {shown(config)}"
    if own is None and configured is None:
        said = f"there is no profile {profile} in {where}"
    else:
        said = f"the profile {profile} in {where} names no credentials"
    raise CommandError(
        f"{said}.",
        ("" if chosen else "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or add them:   aws configure\n")
        + f"Those that aws can get otherwise:   --key-cmd {_export(profile if chosen else '')}",
    )


def _export(profile: str) -> str:
    """The command that prints the credentials of a profile, as one word of a shell."""
    return shlex.quote(f"{_EXPORT} --profile {shlex.quote(profile)}" if profile else _EXPORT)


def _locate(environ: Mapping[str, str], variable: str, name: str) -> Path:
    # Real: many keep these files elsewhere and link them.
    return Path(os.path.realpath(os.path.expanduser(environ.get(variable) or f"~/.aws/{name}")))


def _read_section(path: Path, profile: str, *, secret: bool) -> dict[str, str] | None:
    """The settings of a profile in a file, None where it has none. secret: no other user may read the file."""
    data = read_secret(path, FILE_LIMIT) if secret else _read_config(path)
    if data is None:
        return None
    # Neither a section of defaults nor values in the place of names; a line that repeats a setting replaces it.
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(data.decode("utf-8-sig", "replace"))
    except configparser.Error as error:
        # Its own text shows the line, which may hold a secret.
        line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", ())), None)
        raise CommandError(
            f"{shown(path)} is no configuration of AWS{f': line {line} cannot be read' if line else ''}.",
            "Write it anew:   aws configure",
        ) from None
    for section in parser.sections():
        if _name_profile(section, prefixed=not secret) == profile:
            return dict(parser.items(section))
    return None


def _read_config(path: Path) -> bytes | None:
    """A file that need not be secret, but which nobody else may write: it may name a program to run."""
    try:
        with path.open("rb") as file:
            if not path.is_file():
                raise CommandError(f"{shown(path)} is not a plain file.")
            _check_writers(path, os.fstat(file.fileno()))
            data = file.read(FILE_LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CommandError(f"{shown(path)} cannot be read: {error.strerror or error}.") from None
    if len(data) > FILE_LIMIT:
        raise CommandError(f"{shown(path)} is larger than 1 MiB.")
    return data


def _check_writers(path: Path, entry: os.stat_result) -> None:
    if sys.platform != "win32" and (entry.st_mode & 0o022 or entry.st_uid not in (os.getuid(), 0)):
        raise CommandError(
            f"{shown(path)} can be changed by other users, and may name a program to run.",
            f"Close it:   chmod go-w {word(path)}",
        )


def _name_profile(section: str, *, prefixed: bool) -> str:
    """The profile of a section: in `config` all but the default one are written `profile NAME`."""
    name = section.strip()
    if prefixed:
        first, _, rest = name.partition(" ")
        if first != "profile" and name != "default":
            return ""
        name = rest.strip() if first == "profile" else name
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] and name[0] in "\"'" else name


def _read_keys(settings: Mapping[str, str] | None, where: str) -> AwsCredentials | None:
    if settings is None or not (settings.get(_ID) or settings.get(_SECRET)):
        return None
    for name in (_ID, _SECRET):
        if not settings.get(name, "").strip():
            raise CommandError(f"{where} has no {name}.", "Write it anew:   aws configure")
    session = settings.get(_TOKEN, "").strip()
    return _check(AwsCredentials(settings[_ID].strip(), settings[_SECRET].strip(), session), where)


def read_process_output(fields: Mapping[str, object], where: str, now: float) -> AwsCredentials:
    """The credentials in the output of a `credential_process`. now: seconds since 1970. Raises CommandError."""
    if fields.get("Version", 1) != 1:
        raise CommandError(f"{where} has another Version than 1.")
    parts = [fields.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    id_, secret, session = (part.strip() if isinstance(part, str) else "" for part in parts)
    for name, part in (("AccessKeyId", id_), ("SecretAccessKey", secret)):
        if not part:
            raise CommandError(f"{where} has no {name}.")
    moment = read_moment(fields.get("Expiration"))
    life = None if moment is None else moment - now
    if life is not None:
        check_ends(life, f"the Expiration in {where}")
    return _check(AwsCredentials(id_, secret, session, life), where)


def check_ends(life: float, where: str) -> None:
    """Raise CommandError for an end that has passed. life: seconds until then."""
    if life <= 0:
        raise CommandError(
            f"{where} ended {format_duration(-life)} ago by this machine's clock.",
            "Log in again with the tool that gives it; where it is new, set this machine's clock.",
        )


def _split(line: str, profile: str) -> tuple[str, ...]:
    # As the SDKs of AWS do: no shell runs.
    try:
        words = shlex.split(line, posix=sys.platform != "win32")
    except ValueError as problem:
        raise CommandError(f"{_PROCESS} of the AWS profile {profile} cannot be split into words: {problem}.") from None
    return tuple(word.strip('"') for word in words) if sys.platform == "win32" else tuple(words)


def _check(credentials: AwsCredentials, where: str) -> AwsCredentials:
    """The credentials. Raises CommandError for what no request can carry."""
    for part in (credentials.id, credentials.secret, credentials.session):
        if not (part.isascii() and part.isprintable()) or " " in part:
            raise CommandError(f"the AWS credentials of {where} have a space or another character that no key has.")
    if "/" in credentials.id or len(credentials.id) > 128:
        raise CommandError(f"the AWS credentials of {where} have an access key id that cannot be one.")
    return credentials
