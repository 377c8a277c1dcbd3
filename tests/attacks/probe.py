"""An attack that was tried on fairlead, and what it gave."""

from typing import NamedTuple


class Probe(NamedTuple):
    """One attack; the table of all is packaging/reference/attacks.md."""

    #: What the attacker sends or does, in a few words.
    attack: str
    #: What fairlead does, in a few words; the test holds it.
    gives: str
