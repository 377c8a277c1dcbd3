"""The options of `backend add` and `backend set` for a part of a provider's URLs: a region, a project, a resource."""

import argparse
import os
from collections.abc import Mapping

from router.backends import Backend, Known
from router.backends.known import KNOWN, known, vendor_of
from router.backends.variables import WrongVariable, match_root, read_variables
from router.cli.backend.key import has_terminal
from router.cli.common.layout import note
from router.cli.common.parser import Parser
from router.errors import CommandError, UsageError

_DESTINATION = "variable_{}"


def _list_names() -> dict[str, str]:
    """The variables of all providers, by name, each with what it is and whose."""
    found: dict[str, str] = {}
    for entry in KNOWN.values():
        for name, one in entry.variables.items():
            takers = ", ".join(other.name for other in KNOWN.values() if name in other.variables)
            found.setdefault(name, f"{one.about}, for {takers}")
    return found


def add_options(parser: Parser) -> None:
    """Add the options."""
    for name, about in _list_names().items():
        parser.add_argument(f"--{name}", dest=_DESTINATION.format(name), metavar=name.upper(), help=f"the {about}")


def has_variables(options: argparse.Namespace) -> bool:
    """True when one of the options was given."""
    return any(getattr(options, _DESTINATION.format(name), None) is not None for name in _list_names())


def choose_variables(
    options: argparse.Namespace, name: str, root: str | None, before: Backend | None
) -> Mapping[str, str]:
    """The values of the variables in the URLs of a backend: from the options, a base URL, the environment, or the
    terminal; {} where they are not asked for. root: the base URL that the options name. Raises CommandError."""
    given = {
        one: value for one in _list_names() if (value := getattr(options, _DESTINATION.format(one), None)) is not None
    }
    entry = known((vendor_of(root) if root else "") or name)
    if entry is None or given.keys() - entry.variables.keys():
        if given:
            unknown = next(one for one in given if entry is None or one not in entry.variables)
            takers = [one.name for one in KNOWN.values() if unknown in one.variables]
            raise UsageError(f"--{unknown} is for {', '.join(takers)}, and {name} has none.")
        return {}
    if not entry.variables:
        return {}
    found = match_root(entry, root) if root else None
    for one, value in (found or {}).items():
        if given.get(one, value) != value:
            raise UsageError(f"--{one} and --base-url name two different ones: give one of them.")
    if before is not None and root is None and before.vendor == entry.name:
        if not given:
            # It stays where it is.
            return {}
        given = {**before.variables, **given}
    return _complete(entry, name, {**given, **(found or {})})


def _complete(entry: Known, name: str, given: Mapping[str, str]) -> dict[str, str]:
    """The values of all variables; what is missing is asked for. Raises UsageError, CommandError."""
    found = dict(given)
    while True:
        try:
            return read_variables(entry, found, os.environ)
        except WrongVariable as wrong:
            if not (wrong.missing and has_terminal()):
                raise _explain(wrong, name) from None
            found[wrong.name] = _ask(wrong)


def _explain(wrong: WrongVariable, name: str) -> UsageError:
    one = wrong.variable
    expected = f"expected the {one.about}, such as {one.example}"
    if not wrong.missing:
        return UsageError(f"--{wrong.name} does not have its form; {expected}.")
    variables = f", or set {' or '.join(one.environment)}" if one.environment else ""
    example = one.example.partition(" ")[0]
    return UsageError(
        f"{name} needs --{wrong.name}; {expected}.",
        f"Give it:   fairlead backend add {name} --{wrong.name} {example}{variables}",
    )


def _ask(wrong: WrongVariable) -> str:
    """The value that is typed for a missing variable. Raises CommandError at the end of the input."""
    one = wrong.variable
    try:
        text = input(f"{one.about[:1].upper()}{one.about[1:]}, such as {one.example}: ")
    except EOFError:
        raise CommandError(f"no {wrong.name} was given.") from None
    except KeyboardInterrupt:
        note("")
        raise
    if not text.strip():
        raise CommandError(f"no {wrong.name} was given.")
    return text.strip()
