"""Known providers as data, and the records of configured backends. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from router.backends.profile import Profile


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of one vendor's HTTP API that all its protocols share."""

    #: The vendor's name in lower case.
    name: str
    #: Name of the header that carries a key, as it is written, and the text before the key in it.
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    #: Headers that every request needs, by lower-case name. The first also marks a caller's request for a path that
    #: several vendors have (models, files).
    headers: tuple[tuple[str, str], ...] = ()
    #: Further headers that mark a caller's request in the same way, by lower-case name.
    marks: tuple[str, ...] = ()
    #: The header in which callers look for the id of a refused request.
    request_id_header: str = "x-request-id"
    #: Its list of models comes in pages.
    paged: bool = False
    #: The parameters of that list for the size of a page, and for where one begins.
    page_size: str = "limit"
    page_after: str = "after_id"
    #: The field of that list that holds the models; where it is another one, their names have another form too.
    models_field: str = "data"
    #: Environment variables that give its tools a base URL (the root and `url_suffix`) and a key. Claude Code asks
    #: before it uses a key of ANTHROPIC_API_KEY, and advises against it; a token it takes as it is.
    url_variable: str = ""
    url_suffix: str = ""
    key_variable: str = ""


ANTHROPIC = Api(
    name="anthropic",
    key_header="X-Api-Key",
    key_prefix="",
    headers=(("anthropic-version", "2023-06-01"),),
    request_id_header="request-id",
    paged=True,
    url_variable="ANTHROPIC_BASE_URL",
    key_variable="ANTHROPIC_AUTH_TOKEN",
)
OPENAI = Api(
    name="openai",
    url_variable="OPENAI_BASE_URL",
    url_suffix="/v1",
    key_variable="OPENAI_API_KEY",
)
# Google's tools append the version of the API themselves. Its answers name no request.
GOOGLE = Api(
    name="google",
    key_header="x-goog-api-key",
    key_prefix="",
    marks=("x-goog-api-key", "x-goog-api-client"),
    paged=True,
    page_size="pageSize",
    page_after="pageToken",
    models_field="models",
    url_variable="GOOGLE_GEMINI_BASE_URL",
    key_variable="GEMINI_API_KEY",
)
#: The API of paths and backends without a known API: most servers follow it.
COMMON = OPENAI
#: The APIs that have environment variables for tools.
APIS = (ANTHROPIC, OPENAI, GOOGLE)

#: Names of the protocols, in the order they are listed and preferred, each with the API it belongs to. Their other
#: properties stand in `wire.protocols`, which adds the name of each protocol that is registered there.
PROTOCOLS: dict[str, Api] = {"messages": ANTHROPIC, "chat": OPENAI, "responses": OPENAI, "gemini": GOOGLE}


def speaks_api(protocols: Iterable[str], api: Api) -> bool:
    """True when one of these protocols belongs to an API."""
    return any(PROTOCOLS.get(name) is api for name in protocols)


AuthHeader = Literal["bearer", "x-api-key", "api-key", "x-goog-api-key"]
#: The forms in which a key is sent: the header, as it is written, and the text before the key in it.
AUTH_HEADERS: dict[AuthHeader, tuple[str, str]] = {
    "bearer": ("Authorization", "Bearer "),
    "x-api-key": ("X-Api-Key", ""),
    "api-key": ("api-key", ""),
    "x-goog-api-key": ("x-goog-api-key", ""),
}


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a provider's URLs that each user has a value of."""

    #: What it is and where users find it, behind "the".
    about: str
    #: Regular expression (whole match) of its values.
    pattern: str
    #: A value as an example.
    example: str
    #: Environment variables in which the provider's own tools look for it, the usual one first.
    environment: tuple[str, ...] = ()
    #: These hold the URL of the host.
    is_host: bool = False


class FieldDefault(NamedTuple):
    """A field of a body that is set where the caller has not set it."""

    name: str
    value: str
    #: A header of the caller's whose value is taken instead where it is one of `header_values`.
    header: str = ""
    header_values: tuple[str, ...] = ()

    def choose(self, fields: Mapping[bytes, bytes]) -> str:
        """The value to set. fields: the headers of the request by lower-case name."""
        told = fields.get(self.header.encode(), b"").decode("latin-1") if self.header else ""
        return told if told in self.header_values else self.value


class LiftedHeader(NamedTuple):
    """A header of the caller's that a provider reads in a field of the body, which is set where the caller has not set
    it: a list of what stands between the commas."""

    #: By lower-case name.
    header: str
    field: str


#: How the events of a stream are framed: as server-sent events, or in the messages of Amazon's event stream.
Framing = Literal["sse", "aws-eventstream"]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider serves one protocol, as far as that differs from its other protocols and from the protocol's own
    paths.

    A path stands below the root. It holds MODEL where the name of the model stands in it; the name is then taken out of
    the body.
    """

    #: Template of the root, '' for that of the provider.
    root: str = ""
    #: Paths of requests for text, for a stream and for a count; '' for those of the protocol.
    path: str = ""
    stream_path: str = ""
    count_path: str = ""
    #: How the key is sent, None as for the provider's other protocols.
    auth_header: AuthHeader | None = None
    #: Regular expression (whole match) of the names of the models that are served in this protocol; '' for all.
    models: str = ""
    set_fields: tuple[FieldDefault, ...] = ()
    #: Fields of a request that it does not take, since their paths or headers say the same.
    drop_fields: tuple[str, ...] = ()
    lift_headers: tuple[LiftedHeader, ...] = ()
    #: Headers of the caller's that are not passed on, by lower-case name.
    drop_headers: tuple[str, ...] = ()
    #: A request to count holds what is counted in its own members, and in no object of its own.
    flat_counts: bool = False
    #: It counts tokens in this protocol; where it does not, it is not asked.
    counts: bool = True
    framing: Framing = "sse"
    #: Characters of `:/` that names of models have here, where these stand in the path.
    model_characters: str = ""


#: Stands for the model's name in a path.
MODEL = "{model}"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A provider fairlead knows by name."""

    name: str
    title: str
    #: URL that `/chat/completions` or `/messages` is appended to; it includes `/v1` where the provider has it. Holds
    #: `{NAME}` for each of its variables, and `{host}` where it has `hosts`.
    root: str
    protocols: tuple[str, ...]
    #: The variables of its roots, by name, in the order in which they are asked for.
    variables: Mapping[str, Variable] = {}
    #: Its hosts by the value of one variable: a regular expression (whole match) of the value, and the template of the
    #: host; the first that matches counts.
    hosts: tuple[tuple[str, str], ...] = ()
    host_variable: str = ""
    #: Protocol -> how it serves that, where there is something to say.
    endpoints: Mapping[str, Endpoint] = {}
    #: Headers that it needs with every request: lower-case name, template of the value.
    set_headers: tuple[tuple[str, str], ...] = ()
    #: How the key is sent, None as its API has it.
    auth_header: AuthHeader | None = None
    #: Path of its list of models, below the root; '' where it has none that says what can be asked for.
    models_path: str = "/models"
    #: What a key of it must be allowed, as a sentence; '' where every key may ask for text.
    key_needs: str = ""
    #: A command of the provider's own tool that prints a key, '' for none.
    key_command: str = ""
    #: The source of keys that are made from the user's own credentials of the cloud, '' for none.
    key_cloud: str = ""
    #: What its errors say, in lower case, and what to do then, as the end of a sentence.
    error_hints: tuple[tuple[str, str], ...] = ()
    #: The public document that this entry follows; '' for entries older than this field.
    source: str = ""
    #: Its roots in other regions, and its former ones, which still answer.
    other_roots: tuple[str, ...] = ()
    #: Those of them that it advises to leave for `root`.
    former_roots: tuple[str, ...] = ()
    #: The API whose form its key header and its list of models have.
    api: Api = COMMON
    needs_key: bool = True
    #: Environment variables in which its documentation, or most tools, look for a key of it, the usual one first.
    key_variables: tuple[str, ...] = ()
    #: It is a server that users run themselves: nobody bills its tokens.
    unbilled: bool = False
    #: The command, or the step, that starts a server of the user's own; '' for a service.
    start: str = ""
    #: How its keys begin, where its documentation shows that and no other provider's keys begin so. Older keys may
    #: begin otherwise.
    key_prefixes: tuple[str, ...] = ()
    #: Regular expressions (whole match) of the names of this provider's models.
    families: tuple[str, ...] = ()
    #: Those of them whose weights it has published: servers of others have models of such names too.
    published: tuple[str, ...] = ()
    #: Lower-case names of request headers that are sent to this provider only.
    own_headers: tuple[str, ...] = ()
    #: Those of them that tell the caller's installations apart: they go along with the caller's own login alone.
    caller_headers: tuple[str, ...] = ()
    #: How the names of more such headers begin.
    own_prefixes: tuple[str, ...] = ()
    #: Models for backends with auth=client, whose catalog cannot be read for lack of a key; see MODELS_DATE.
    models: tuple[str, ...] = ()
    #: Prefix of the names in its list of models, which requests leave out.
    model_prefix: str = ""
    #: Its newer models refuse Chat's `max_tokens`, the only name that all other providers know.
    refuses_max_tokens: bool = False
    #: It reads the billing line of Claude Code's system prompt.
    reads_attribution: bool = False
    #: Tools that it runs itself, as in Profile.
    hosted: frozenset[str] = frozenset()
    #: How it differs from others; None where nothing is known, as of most that do not speak Chat.
    profile: Profile | None = None

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def stream_usage(self) -> bool:
        """True when a Chat stream reports usage only if asked by `stream_options`."""
        return self.profile is not None and self.profile.stream_usage


class Account(msgspec.Struct, frozen=True):
    """One key of a backend."""

    alias: str
    #: A literal, or a reference such as `env:GROQ_API_KEY`.
    key: str

    def __repr__(self) -> str:
        return f"Account(alias={self.alias!r}, key=set)"


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """A configured backend, as `backends/NAME.json` holds it."""

    name: str
    #: As in Known.
    root: str
    protocols: tuple[str, ...]
    #: Name of the known provider it is an instance of, '' for others.
    vendor: str = ""
    #: `key` sends an account's key, `client` passes the caller's own credential on, `none` sends nothing.
    auth: Literal["key", "client", "none"] = "key"
    accounts: tuple[Account, ...] = ()
    enabled: bool = True
    #: Seconds since 1970; where backends tie, the earliest comes first.
    added: float = 0.0
    #: The user allowed http:// to a public address.
    insecure_http: bool = False
    #: Protocol -> its root, where that is not `root`. All are on one host.
    roots: Mapping[str, str] = {}
    #: The values of the provider's variables, by name.
    variables: Mapping[str, str] = {}
    #: How the key is sent, None as its provider or its protocols have it.
    auth_header: AuthHeader | None = None

    def __hash__(self) -> int:
        return hash((self.name, self.root, self.protocols, self.vendor, self.auth, self.accounts))
