"""An attack that was tried on fairlead, and what it gave; and what tries each of a table again."""

import inspect
from typing import NamedTuple


class Probe(NamedTuple):
    """One attack; the table of all is packaging/reference/attacks.md."""

    #: What the attacker sends or does, in a few words.
    attack: str
    #: What fairlead does, in a few words; the test holds it.
    gives: str


class Runs:
    """The functions that try attacks, by the names in the table of their probes."""

    def __init__(self):
        self._runs = {}

    @property
    def names(self):
        """The names in the order of the functions."""
        return [*self._runs]

    def of(self, name):
        """Marks the function that tries an attack; its arguments are fixtures."""

        def keep(function):
            self._runs[name] = function
            return function

        return keep

    def __call__(self, name, request):
        """Try one. request: that of the test."""
        run = self._runs[name]
        run(*(request.getfixturevalue(wanted) for wanted in inspect.signature(run).parameters))
