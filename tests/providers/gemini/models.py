"""The models that the fake lists, and what each takes. A name may go on with directives: gemini-3.8-flash-err-429."""

from typing import NamedTuple

from .errors import no_model

ALL = ("MINIMAL", "LOW", "MEDIUM", "HIGH")


class Model(NamedTuple):
    """One model. levels: of thinking, () where it takes none. budgets: the least (above 0) and the most, None where it
    takes none. off: a budget of 0 is taken. signed: calls must carry their signature."""

    name: str
    levels: tuple = ()
    budgets: tuple | None = None
    off: bool = False
    signed: bool = True
    output: int = 65536
    methods: tuple = ("generateContent", "countTokens", "createCachedContent", "batchGenerateContent")


MODELS = (
    Model("gemini-2.5-pro", budgets=(128, 32768), signed=False),
    Model("gemini-2.5-flash", budgets=(1, 24576), off=True, signed=False),
    Model("gemini-2.5-flash-lite", budgets=(512, 24576), off=True, signed=False),
    Model("gemini-3-flash-preview", ALL, (0, 24576)),
    Model("gemini-3.1-pro-preview", ALL[1:], (128, 32768)),
    Model("gemini-3.1-flash-lite", ALL, (0, 24576)),
    Model("gemini-3.5-flash", ALL, (0, 24576)),
    Model("gemini-3.5-flash-lite", ALL, (0, 24576)),
    Model("gemini-3.8-flash", ALL[1:], (0, 24576)),
    Model("gemini-flash-latest", ALL[1:], (0, 24576)),
    Model("gemini-4-argon", ALL[1:], (0, 32768), output=1048576),
    Model("gemini-4-hydrogen", (*ALL[1:], "XHIGH"), (0, 32768), output=1048576),
    Model("gemini-embedding-001", methods=("embedContent", "countTextTokens")),
)
_LONGEST_FIRST = sorted(MODELS, key=lambda model: -len(model.name))


def find_model(name, version="v1beta"):
    """The model of a name in a path, with or without directives behind it."""
    for model in _LONGEST_FIRST:
        if name == model.name or name.startswith(f"{model.name}-"):
            return model
    raise no_model(name, version)


def entry(model):
    """A model in the list."""
    return {
        "name": f"models/{model.name}",
        "version": "001",
        "displayName": model.name.replace("-", " ").title(),
        "description": "A model of the test.",
        "inputTokenLimit": 1048576,
        "outputTokenLimit": model.output,
        "supportedGenerationMethods": list(model.methods),
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": bool(model.levels or model.budgets),
    }


def page(query):
    """A page of the list, by pageSize and pageToken."""
    size = min(int(query.get("pageSize") or 50), 1000)
    begin = int(query.get("pageToken") or 0)
    found = {"models": [entry(model) for model in MODELS[begin : begin + size]]}
    return found | ({"nextPageToken": str(begin + size)} if begin + size < len(MODELS) else {})
