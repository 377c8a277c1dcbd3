"""Writes packaging/reference/endpoints.md from the table of endpoints: `python tests/operator_reference.py`.

tests/test_operator_reference.py checks that it is up to date. The words of a field are the `#:` lines above it.
"""

import ast
import inspect
import textwrap
from pathlib import Path

import msgspec
from msgspec import inspect as forms

from router.operator_api.endpoints import ENDPOINTS
from router.operator_api.history import LiveEvent
from router.store.history.entry import HistoryEntry

PAGE = Path(__file__).parents[1] / "packaging" / "reference" / "endpoints.md"
INTRO = """# The operator's endpoints

Written by `python tests/operator_reference.py` from `router/operator_api/`; do not edit.

They are served beside the APIs for tools, on the same port. Where the table says *operator*, a request carries the
token of the home: `Authorization: Bearer …` with what `operator.token` in it holds. fairlead's own commands never send
the token: they have the listener prove itself, sign each request with the token, for this address, this process and one
use, and check the signature of its answer (`router/net/control/signatures.py`). A POST has the header
`content-type: application/json`; where no body is named, `{}` will do. GET is served for HEAD too. Times are in seconds
since 1970 unless a field says otherwise.

An error is `{"error": {"type": …, "message": …}}` with a status of 400 or more: 401 without the token, 404 for what is
not there, 405 for another verb (`Allow` names those that are taken), 503 with `retry-after` at a bound. A field never
goes or changes its meaning while `schema` stays; new ones may come.
"""
WHOM = {
    "operator": "operators",
    "metrics": "operators, and who has the token for it",
    "viewer": "the local page, with its token",
    "code": "who has a code of the local page",
    "anyone": "anyone",
}
# Forms that are made from others have their words.
DERIVED = {LiveEvent: (HistoryEntry,)}
_PLAIN = {
    forms.IntType: "whole number",
    forms.FloatType: "number",
    forms.StrType: "text",
    forms.BoolType: "true or false",
    forms.BytesType: "text in base64",
    forms.NoneType: "null",
    forms.AnyType: "anything",
}


class Reference:
    """The page as it grows. Forms are described once, in the order in which they are met."""

    def __init__(self):
        self._waiting = []
        self._met = set()
        self._bodies = {endpoint.body for endpoint in ENDPOINTS.all}

    def written(self):
        """The whole page."""
        rows = [f"| {self._title(one)} | {_whom(one)} | {one.about} |" for one in ENDPOINTS.all]
        parts = [INTRO, "| endpoint | for | what it does |\n|---|---|---|\n" + "\n".join(rows) + "\n"]
        parts += [self._endpoint(endpoint) for endpoint in ENDPOINTS.all]
        parts.append("## Forms\n")
        while self._waiting:
            parts.append(self._form(self._waiting.pop(0)))
        return "\n".join(parts)

    @staticmethod
    def _title(endpoint):
        return f"`{endpoint.verb} {endpoint.path}`"

    def _endpoint(self, endpoint):
        said = [f"## {endpoint.verb} {endpoint.path}\n", f"{endpoint.about} For {_whom(endpoint)}.\n"]
        if endpoint.query:
            said.append("| query | what it selects |\n|---|---|")
            said += [f"| `{name}` | {about} |" for name, about in endpoint.query]
            said.append("")
        if endpoint.body is not None:
            said.append(f"Body: {self._link(endpoint.body)}.\n")
        said.append(f"Answer: {self._answer(endpoint)}\n")
        return "\n".join(said)

    def _answer(self, endpoint):
        status = f"status {endpoint.status}, "
        if endpoint.answer is str:
            return f"{status}text (`{endpoint.content}`)."
        if endpoint.content == "text/event-stream":
            return f"{status}server-sent events; the data of each is a {self._link(endpoint.answer)}."
        return f"{status}{self._link(endpoint.answer)}."

    def _link(self, struct):
        if struct not in self._met:
            self._met.add(struct)
            self._waiting.append(struct)
        return f"[{struct.__name__}](#{struct.__name__.lower()})"

    def _form(self, struct):
        words = descriptions(struct)
        rows = []
        for field in forms.type_info(struct).fields:
            more = self._presence(struct, field)
            rows.append(
                f"| `{field.encode_name}` | {self._type(field.type)} | {(words.get(field.name, '') + more).strip()} |"
            )
        about = " ".join(inspect.cleandoc(struct.__doc__ or "").split())
        table = "| field | type | what it is |\n|---|---|---|\n" + "\n".join(rows)
        return f"### {struct.__name__}\n\n{about}\n\n{table}\n"

    def _presence(self, struct, field):
        """What there is to say of a field that may be absent."""
        if struct in self._bodies and not field.required:
            return " Optional."
        return " Not always there." if field.name in _unset(struct) else ""

    def _type(self, kind):
        """A type in words."""
        if isinstance(kind, forms.UnionType):
            members = sorted(kind.types, key=lambda one: isinstance(one, forms.NoneType))
            return " or ".join(self._type(one) for one in members)
        if isinstance(kind, forms.StructType):
            return self._link(kind.cls)
        if isinstance(kind, forms.LiteralType):
            return " or ".join(f"`{value}`" for value in sorted(kind.values))
        if isinstance(kind, forms.DictType):
            return f"object: {self._type(kind.value_type)} by name"
        if isinstance(kind, forms.ListType | forms.VarTupleType):
            return f"list: {self._type(kind.item_type)}"
        if isinstance(kind, forms.TupleType):
            return f"list: {', '.join(self._type(one) for one in kind.item_types)}"
        return _PLAIN[type(kind)]


def _whom(endpoint):
    return WHOM[endpoint.access]


def descriptions(struct):
    """The words of the fields of a struct, by name; those of a form it extends are its own too."""
    found = {}
    for one in (*DERIVED.get(struct, ()), *reversed(struct.__mro__)):
        if issubclass(one, msgspec.Struct) and one is not msgspec.Struct and one.__module__.startswith("router"):
            found.update(_documented(one))
    return found


def _unset(struct):
    """The fields that are left out where there is nothing to say."""
    return {field.name for field in msgspec.structs.fields(struct) if field.default is msgspec.UNSET}


def _documented(struct):
    try:
        source = textwrap.dedent(inspect.getsource(struct))
    except (OSError, TypeError):  # a struct that is derived, not written
        return {}
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body[0].body:
        if isinstance(node, ast.AnnAssign):
            words, at = [], node.lineno - 2
            while lines[at].strip().startswith("#:"):
                words.insert(0, lines[at].strip().removeprefix("#:").strip())
                at -= 1
            if words:
                found[node.target.id] = " ".join(words).replace("|", "\\|")
    return found


if __name__ == "__main__":
    PAGE.write_text(Reference().written(), "utf-8")
