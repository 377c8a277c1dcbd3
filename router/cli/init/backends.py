"""The first two questions of `fairlead init`: which backends to add, and the key of one that needs it."""

import argparse
from collections.abc import Collection, Sequence
from typing import NamedTuple

from router.backends.known import KNOWN, OTHER_NAMES
from router.cli.backend import key as backend_key
from router.cli.backend.commands import find_near_name
from router.cli.common.layout import find_width, format_table, note, say
from router.cli.common.offers import NOTHING_FOUND, Offer
from router.cli.init.questions import Asker, InvalidAnswer, Question, read_number
from router.errors import CommandError, UsageError
from router.store.keys.own_keys import OwnKeys

ALL, NONE = "all", "none"
_FLAG = f"--backend NAME   a provider to add, {ALL} that are found, or {NONE}"
_KEY_FLAG = "--key-env VAR    the variable with the key of {}, or --key-stdin"


class Addition(NamedTuple):
    """A backend that is to be added."""

    name: str
    #: What follows `fairlead backend add`.
    arguments: tuple[str, ...]
    #: Its key is neither in a variable nor needless.
    lacks_key: bool = False
    #: The key that was typed.
    key: str | None = None
    #: Its key is what the options of `init` name.
    key_by_option: bool = False

    def __repr__(self) -> str:
        return f"Addition({self.name!r})"


def choose(
    options: argparse.Namespace, offers: Sequence[Offer], configured: Collection[str], asker: Asker
) -> list[Addition]:
    """What is to be added. configured: names of backends that are there. Raises CommandError, UsageError."""
    if options.backend:
        try:
            words = _split(",".join(options.backend))
            new = _leave_out(words, configured)
            chosen = _read_names(new, offers, configured) if new or not words else []
        except InvalidAnswer as wrong:
            raise UsageError(f"--backend: {wrong}") from None
    else:
        question = _make_question(offers, configured)
        if asker.asks:
            _show(offers, configured)
        chosen = asker.ask(question, lambda text: _read_names(_split(text), offers, configured))
    given = backend_key.list_given(options)
    if not given:
        return chosen
    backend_key.check_alone(given)
    keyed = [one for one in chosen if one.lacks_key] or [one for one in chosen if KNOWN[one.name].needs_key]
    if len(keyed) != 1:
        raise UsageError(f"{given[0]} is for one backend that needs a key.", "Name it:   --backend NAME")
    return [one if one is not keyed[0] else Addition(one.name, (one.name,), key_by_option=True) for one in chosen]


def _make_question(offers: Sequence[Offer], configured: Collection[str]) -> Question:
    # What is there already works: more is added only where it is named.
    default = NONE if configured or all(one.lacks_key for one in offers) else ALL
    what = f"numbers, names, {ALL} or {NONE}" if offers else f"names, or {NONE}"
    return Question(f"Add which? ({what})", default, _FLAG)


def _show(offers: Sequence[Offer], configured: Collection[str]) -> None:
    if offers:
        say("Found here:")
        rows = [(str(number), one.name, one.about) for number, one in enumerate(offers, 1)]
        print("\n".join(format_table(rows, "  ", right={0}, width=find_width())))
    else:
        say(NOTHING_FOUND)
    shown = {*configured, *(one.name for one in offers)}
    say(f"By name: {', '.join(name for name in KNOWN if name not in shown)}.")


def _split(text: str) -> list[str]:
    return list(dict.fromkeys(text.lower().replace(",", " ").split()))


def _leave_out(words: Sequence[str], configured: Collection[str]) -> list[str]:
    """The words without what is there already: a script may run twice."""
    for word in words:
        if word in configured:
            note(f"note: {word} is configured already, and stays as it is.")
    return [word for word in words if word not in configured]


def _read_names(words: Sequence[str], offers: Sequence[Offer], configured: Collection[str]) -> list[Addition]:
    """The backends that an answer names. Raises InvalidAnswer."""
    if [*words] == [NONE]:
        return []
    if [*words] == [ALL]:
        # A key is asked for where its backend was named.
        return [_make_addition(offer) for offer in offers if not offer.lacks_key]
    if not words or NONE in words or ALL in words:
        raise InvalidAnswer(f"Give numbers or names with spaces between them, or {ALL} or {NONE} alone.")
    found: dict[str, Addition] = {}
    for word in words:
        if word in configured:
            raise InvalidAnswer(f"{word} is configured already. Change it:   fairlead backend add {word}")
        one = _read_name(word, offers)
        found.setdefault(one.name, one)
    lacking = [one.name for one in found.values() if one.lacks_key]
    if len(lacking) > 1:
        raise InvalidAnswer(
            f"{' and '.join(lacking)} need a key each, and one key can be given here. Name one of them; add the other "
            f"later:   fairlead backend add {lacking[-1]}"
        )
    return list(found.values())


def _make_addition(offer: Offer) -> Addition:
    return Addition(offer.name, offer.arguments, offer.lacks_key)


def _read_name(word: str, offers: Sequence[Offer]) -> Addition:
    if word.isdecimal():
        return _make_addition(offers[read_number(word, len(offers), "a name") - 1])
    offer = next((one for one in offers if one.name == word), None)
    if offer is not None:
        return _make_addition(offer)
    entry = KNOWN.get(word)
    if entry is None:
        near = OTHER_NAMES.get(word) or find_near_name(word, KNOWN)
        meant = f"Did you mean {near}? " if near else ""
        raise InvalidAnswer(
            f"{word[:60]} is not a provider fairlead knows. {meant}Known: {', '.join(KNOWN)}. "
            "Another server:   fairlead backend add NAME --base-url URL"
        )
    return Addition(entry.name, (entry.name,), entry.needs_key)


def ask_key(chosen: Sequence[Addition], own: OwnKeys, asker: Asker) -> list[Addition]:
    """The backends, with the key of the one that lacks it. own: fairlead's own secrets, which are refused. Raises
    CommandError at the end of the input."""
    filled: list[Addition] = []
    for one in chosen:
        if not one.lacks_key:
            filled.append(one)
        elif asker.terminal:
            filled.append(one._replace(key=read_key(f"Key for {one.name} (not shown): ", own)))
        else:
            asker.leave_open(_KEY_FLAG.format(one.name))
    return filled


def read_key(prompt: str, own: OwnKeys, *, optional: bool = False) -> str:
    """A key that is typed, asked for again until it can be one; "" where it is `optional` and left out."""
    while True:
        text = backend_key.ask(prompt)
        if optional and not text.strip():
            return ""
        try:
            return backend_key.check(text, own)
        except CommandError as wrong:
            note(f"{str(wrong)[:1].upper()}{str(wrong)[1:]} {wrong.hint}".rstrip())


def fill_options(add_options: argparse.Namespace, options: argparse.Namespace) -> argparse.Namespace:
    """The options of `backend add` with the source of the key that the options of `init` name."""
    for name in ("key_stdin", "key_env", "key_file", "key_cmd", "key_cloud", "keyring", "key"):
        setattr(add_options, name, getattr(options, name))
    return add_options
