"""What is known of models, for operators."""

from router.backends import Backend
from router.policy.facts.book import FactBook
from router.policy.routing.table import Table
from router.upstream.facts.describe import report_models

from ...growth import grows_evenly

ONE = Backend(name="one", root="https://one.example/v1", protocols=("chat",))


def make(count):
    """So many models at one backend."""
    return Table((ONE,), {"one": tuple(f"vendor/model-{at}" for at in range(count))}, {})


def report(table):
    """Ask for all in parts, as `fairlead models` does."""
    book, names = FactBook({"one": ONE}, {}, {}), list(table.owners)
    return [one for at in range(0, len(names), 20) for one in report_models(names[at : at + 20], table, book)]


def test_a_part_of_the_list_costs_what_it_holds():
    """A list that is asked for in parts takes twice as long for twice as many models; each is described."""
    assert [one.id for one in report(make(120))] == list(make(120).owners)
    grows_evenly(make, report, 3000)
