"""What is known of models, and the question for it."""

import msgspec

#: Models of one question.
MODELS_LIMIT = 1000


class ModelQuestion(msgspec.Struct, kw_only=True):
    """Which models are asked about."""

    #: Their names as GET /v1/models has them, or with the backend in front: `BACKEND:MODEL`; at most 1000.
    models: list[str]


class FactReport(msgspec.Struct, kw_only=True):
    """One fact."""

    #: Tokens, seconds, a text, or words.
    value: int | bool | str | list[int | str]
    #: `config.toml`, `learned from an error`, `allocated by the server`, `model list of NAME` or `shipped table`; with
    #: `, by name` behind the last where the backend is not known to sell the model.
    source: str
    #: The day on which the source said so, as 2026-11-30; empty where it has none.
    date: str


class ModelReport(msgspec.Struct, kw_only=True):
    """A model and what is known of it."""

    #: The name to request.
    id: str
    #: The backend that serves it.
    backend: str
    #: Its name there.
    model: str
    #: The protocols of that backend.
    protocols: list[str]
    #: By name: window, max_input, max_output, price_tier_at and trained_window in tokens, modalities, efforts,
    #: cache_lifetimes, cache_kept and cache_dropped in seconds, deprecated, retires, successor, title, created. What is
    #: not known is left out.
    facts: dict[str, FactReport]
    #: The facts in words.
    summary: str
    #: That the model ends, and its successor; empty for others.
    notice: str


class ModelReports(msgspec.Struct, kw_only=True):
    """What is known of models."""

    #: In the order of the question; those that no backend serves are left out.
    models: list[ModelReport]
