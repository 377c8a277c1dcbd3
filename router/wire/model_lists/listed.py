"""What a list of models says of one model, whoever serves it; each protocol writes it in its own fields."""

import msgspec


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model that can be asked for. None: not known."""

    #: The name to request.
    name: str
    #: The backend that serves it.
    owner: str
    #: The name for people, different from those of all others of the list.
    label: str
    #: Where it is served, and what it takes, in a line.
    description: str = ""
    #: When it was published, in seconds since 1970.
    created: int | None = None
    #: Tokens of input and output together.
    window: int | None = None
    #: Tokens of input: of the window and the most input, the smaller.
    max_input: int | None = None
    #: Tokens of output.
    max_output: int | None = None
    #: Kinds of input, such as text and image.
    modalities: tuple[str, ...] | None = None
    #: Reasoning efforts, the weakest first; () for a model that takes none.
    efforts: tuple[str, ...] | None = None
    #: The provider advises against it.
    deprecated: bool = False
    #: The day on which its provider ends it, as 2026-11-30.
    retires: str | None = None
