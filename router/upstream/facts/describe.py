"""Describes the models that can be asked for: with the names that people see, and with what is known of each."""

from collections import Counter
from collections.abc import Mapping, Sequence

from router.operator_api.models import FactReport, ModelReport
from router.policy.facts.book import FactBook
from router.policy.facts.model_facts import Fact, KnownFacts
from router.policy.facts.words import describe_end, describe_facts, describe_limits
from router.policy.routing.model_list import ServedModel, find_listed, find_prefixed
from router.policy.routing.table import Table
from router.wire.model_lists.listed import ListedModel


class ModelDescriber:
    """Describes models of one list. served: the whole list, by the names that can be requested."""

    def __init__(self, served: Mapping[str, ServedModel], book: FactBook):
        self._served = served
        self._book = book
        titles = [(self._title(name, one), one.backend) for name, one in served.items()]
        self._titles = Counter(title for title, _ in titles)
        self._titles_by_backend = Counter(titles)

    def describe(self, names: Sequence[str]) -> list[ListedModel]:
        """The models of these names, which are on the list."""
        return [self._describe(name, self._served[name]) for name in names]

    def _describe(self, name: str, served: ServedModel) -> ListedModel:
        return describe_model(name, served, self._book, label=self._label(name, served))

    def _title(self, name: str, served: ServedModel) -> str:
        """The name for people: an alias keeps its own, as does a model whose backend says none."""
        plain = name.removeprefix(f"{served.backend}:")
        return (self._book.title_of(served.backend, served.model) or plain) if plain == served.model else name

    def _label(self, name: str, served: ServedModel) -> str:
        """A title that several models have says where each is served, and where one backend has several of them, by
        which name each is requested."""
        title = self._title(name, served)
        if self._titles_by_backend[title, served.backend] > 1:
            return f"{title} ({name} via {served.backend})"
        if self._titles[title] > 1 or name == f"{served.backend}:{served.model}":
            return f"{title} (via {served.backend})"
        return title


def describe_model(name: str, served: ServedModel, book: FactBook, *, label: str = "") -> ListedModel:
    """One model. label: its name for people, by default its name."""
    found = book.find(served.backend, served.model)
    facts = found.facts
    limit = found.input_limit
    return ListedModel(
        name=name,
        owner=served.backend,
        label=label or book.title_of(served.backend, served.model) or name,
        description=_describe_line(name, served, found),
        created=facts.created,
        window=facts.window,
        max_input=limit.value if limit is not None and isinstance(limit.value, int) else None,
        max_output=facts.max_output,
        modalities=facts.modalities,
        efforts=facts.efforts,
        deprecated=bool(facts.deprecated or facts.retires),
        retires=facts.retires,
    )


def _describe_line(name: str, served: ServedModel, found: KnownFacts) -> str:
    """`groq: llama-3.3-70b, 131,072 window, 32,768 out`."""
    where = f"{served.backend}: {served.model}" if name != served.model else f"via {served.backend}"
    return ", ".join(part for part in (where, describe_limits(found), describe_end(found)) if part)


def report_models(names: Sequence[str], table: Table, book: FactBook) -> list[ModelReport]:
    """What is known of the models of these names, for operators; names that nothing serves are left out."""
    found = ((name, find_listed(name, table) or find_prefixed(name, table)) for name in names)
    return [_report(name, one, table, book) for name, one in found if one is not None]


def _report(name: str, served: ServedModel, table: Table, book: FactBook) -> ModelReport:
    found = book.find_all(served.backend, served.model)
    return ModelReport(
        id=name,
        backend=served.backend,
        model=served.model,
        protocols=list(table.named[served.backend].protocols),
        facts={field: _report_fact(fact) for field, fact in found.origins.items()},
        summary=describe_facts(found),
        notice=describe_end(found),
    )


def _report_fact(fact: Fact) -> FactReport:
    value = [*fact.value] if isinstance(fact.value, tuple) else fact.value
    return FactReport(value=value, source=fact.source, date=fact.date)
