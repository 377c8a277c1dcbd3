"""fairlead's own secrets that a setting holds, or names the place of: a token for /metrics, the secret of a team.

They are needed before the first request, so only what is at hand at once can hold them: the setting, a variable, or a
private file.
"""

from collections.abc import Mapping

from router.errors import CommandError
from router.settings import Secret
from router.store.keys.references import parse
from router.store.keys.secrets import check_key, from_file

#: Characters that a secret has at least: others may try as many as they like.
LEAST = 32


def read_own_secret(name: str, value: Secret | None, environ: Mapping[str, str]) -> Secret | None:
    """The secret that a setting stands for, None where it is not set. name: of the setting. Blocks on the disk. Raises
    CommandError, which names the setting."""
    if value is None:
        return None
    reference = parse(value.reveal())
    if reference is None:
        found = Secret(check_key(value.reveal(), name))
    elif reference.kind == "env":
        variable = reference.words[0]
        if not environ.get(variable):
            raise CommandError(f"{name} is taken from ${variable}, which is not set.", "Set it where the proxy starts.")
        found = Secret(check_key(environ[variable], f"${variable}, which {name} names,"))
    elif reference.kind == "file":
        try:
            found = from_file(reference.words[0])
        except CommandError as error:
            raise CommandError(f"{name}: {error}", error.hint) from None
    else:
        raise CommandError(f"{name} is a {reference.kind}: reference; expected env:VARIABLE, file:PATH or the secret.")
    if len(found.reveal()) < LEAST:
        raise CommandError(f"{name} has fewer than {LEAST} characters.", "Make one:   openssl rand -hex 24")
    return found


def list_files(*values: Secret | None) -> list[str]:
    """The files that hold secrets of these settings; malformed references have none."""
    found: list[str] = []
    for value in values:
        try:
            reference = None if value is None else parse(value.reveal())
        except CommandError:
            continue
        if reference is not None and reference.kind == "file":
            found.append(reference.words[0])
    return found
