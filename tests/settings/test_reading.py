"""Settings from all four sources: what is read from the file's tables, and how what is wrong is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.settings import DECLARATIONS, ConfigFile, Secret, Settings, load, resolve
from router.settings.reading import format_path
from router.settings.tables import BackendOptions, Condition, Edits, Price, Rule
from router.store.config import toml


def read(text):
    """The file of a text."""
    return toml.parse(text, "~/.fairlead/config.toml")


def settings_of(text):
    return load({}, {}, read(text))


WHOLE = """
model = "opus"
fast_model = "haiku"
usage_probe = false
ask_identity = "off"
strip_attribution = false
api_key = "fl-1"
allowed_hosts = ["Box.lan"]
[timeouts]
idle = "2m"
total = 60
[aliases]
Fast = "groq:llama"
[losses]
top_k = "Strict"
"messages.content.citations" = "silent"
[[routes]]
name = "long context"
when = {tokens_over = 150000, model = "claude-*", tools = true, images = "off", thinking = false}
backend = "Anthropic"
model = "claude-opus-5"
max_tokens = 4096
effort = "high"
[routes.set_fields]
"provider.order" = ["a", {b = 1}]
[[routes]]
when.protocol = "chat"
when.client = "Codex"
when.class = "Subagent"
when.tokens_under = 10
remove_headers = ["X-One", "x-two"]
remove_fields = ["a.b"]
[backends.groq]
timeouts = {connect = "1s", first_byte = 2, idle = "3s", total = "4m"}
usage_probe = false
ask_identity = false
strip_attribution = "on"
auto_cache = "off"
profile = {tool_images = true, sampling = ["top_k"], stop_max = 2, reasoning = "none"}
set_headers = {X-Title = "mine"}
set_fields."a.b" = true
[backends.Local.timeouts]
idle = "1h"
[prices."GPT-4.1"]
input = 2
output = 8.5
[prices.tiny]
input = 0
output = 0
cache_read = 0.05
"""


def test_a_whole_file():
    """Every key of every table, in the types that routing and relaying use."""
    assert settings_of(WHOLE) == Settings(
        model="opus",
        fast_model="haiku",
        usage_probe=False,
        ask_identity=False,
        strip_attribution=False,
        api_key=Secret("fl-1"),
        allowed_hosts=("box.lan",),
        timeouts_idle=120.0,
        timeouts_total=60.0,
        aliases={"fast": "groq:llama"},
        losses={"top_k": "strict", "messages.content.citations": "silent"},
        routes=(
            Rule(
                name="long context",
                when=Condition(tokens_over=150000, model="claude-*", tools=True, images=False, thinking=False),
                backend="anthropic",
                model="claude-opus-5",
                edits=Edits(max_tokens=4096, effort="high", set_fields={"provider.order": ["a", {"b": 1}]}),
            ),
            Rule(
                name="route 2",
                when=Condition(protocol="chat", client="codex", request_class="subagent", tokens_under=10),
                edits=Edits(remove_headers=("x-one", "x-two"), remove_fields=("a.b",)),
            ),
        ),
        backends={
            "groq": BackendOptions(
                connect=1.0,
                first_byte=2.0,
                idle=3.0,
                total=240.0,
                usage_probe=False,
                ask_identity=False,
                strip_attribution=True,
                auto_cache=False,
                profile={"tool_images": True, "sampling": frozenset(["top_k"]), "stop_max": 2, "reasoning": "none"},
                edits=Edits(set_headers={"X-Title": "mine"}, set_fields={"a.b": True}),
            ),
            "local": BackendOptions(idle=3600.0),
        },
        prices={"gpt-4.1": Price(input=2.0, output=8.5), "tiny": Price(input=0.0, output=0.0, cache_read=0.05)},
    )
    assert resolve({}, {}, read(WHOLE)).warnings == ()


def test_settings_stay_values():
    """Equal files give equal settings, which can be hashed; a secret is not in their text."""
    assert settings_of(WHOLE) == settings_of(WHOLE)
    assert hash(settings_of(WHOLE)) == hash(settings_of(WHOLE))
    assert "fl-1" not in repr(settings_of(WHOLE))
    assert "fl-1" not in repr(read(WHOLE))
    assert settings_of("") == Settings() == load({}, {})


FORMS = {"timeouts.idle": ['[timeouts]\nidle = "2m"', 'timeouts.idle = "2m"', 'timeouts = { idle = "2m" }']}


@pytest.mark.parametrize("text", FORMS["timeouts.idle"])
def test_tables_are_read_in_each_form(text):
    """Header, dotted key, inline table."""
    assert settings_of(text).timeouts_idle == 120.0


def test_a_quoted_dot_is_no_table():
    """`"timeouts.idle"` in quotes is another key, which is not declared."""
    loaded = resolve({}, {}, read('"timeouts.idle" = "2m"'))
    assert loaded.settings == Settings()
    assert loaded.unknown == (("timeouts.idle",),)


@pytest.mark.parametrize("entry", DECLARATIONS, ids=lambda entry: entry.key)
def test_each_source_wins_over_those_below(entry):
    """default < file < environment < flag, and the source of the value is kept."""
    texts = {"host": ("a", "b", "c"), "port": ("1", "2", "3")}
    texts["search.base_url"] = ("https://a", "https://b", "https://c")
    texts["shared.url"] = ("redis://localhost/1", "redis://localhost/2", "redis://localhost/3")
    texts["notify"] = ("halt", "back", "budget")
    texts["upgrade.url"] = ("https://a", "https://b", "https://c")
    if entry.kind.form == "switch":
        texts[entry.key] = ("off", "off", "on")
    elif entry.kind.form == "choice":
        words = entry.metavar.split("|")
        texts[entry.key] = (words[-1], words[0], words[-1])
    elif entry.key == "history.retention":
        texts[entry.key] = ("1d", "2d", "3d")
    elif entry.kind.form == "time":
        texts[entry.key] = ("1s", "2s", "3s")
    elif entry.kind.form == "number" and entry.key not in texts:
        texts[entry.key] = ("1", "2", "1")
    one, two, three = texts.get(entry.key, ("a", "b", "c"))
    saved = entry.kind.to_toml(one)
    written = {True: "true", False: "false"}.get(saved, repr(saved)) if isinstance(saved, bool) else repr(saved)
    file = read(f"\n{entry.key} = {written}\n")
    sources = [
        (load({}, {}, file), one, "config.toml, line 2", resolve({}, {}, file)),
        (load({entry.env: two}, {}, file), two, f"${entry.env}", resolve({entry.env: two}, {}, file)),
    ]
    if entry.flag:
        both = {entry.env: two}, {entry.attribute: three}, file
        sources.append((load(*both), three, entry.flag, resolve(*both)))
    for settings, text, source, loaded in sources:
        assert getattr(settings, entry.attribute) == entry.parse(text)
        assert loaded.sources[entry.key].text == source
    assert resolve({}, {}).sources[entry.key].text == "default"


BAD = [
    ('[timeouts]\nidle = "two minutes"', 2, 'timeouts.idle is "two minutes"; expected a number with a unit'),
    ("[timeouts]\n\nidle = -1", 3, "timeouts.idle is -1; expected a number with a unit"),
    ("timeouts = 5", 1, "timeouts is 5; expected a table with keys such as connect."),
    ("[[timeouts]]", 1, "timeouts is a list; expected a table with keys such as connect."),
    ("[port]", 1, "port is a table; expected a port number"),
    ('\nport = "80"', 2, 'port is "80"; expected a port number'),
    ("api_key = 12345678", 1, "api_key is set; expected printable"),
    ('api_key = "two words"', 1, "api_key is set; expected printable"),
    ("api_key = {a = 'secret'}", 1, "api_key is set; expected printable"),
    ("allowed_hosts = [\n'a',\n5]", 3, "allowed_hosts 2 is 5; expected names"),
    ("aliases = 1", 1, "aliases is 1; expected a table"),
    ("[aliases]\na = 1", 2, "aliases.a is 1; expected a model's name"),
    ('[aliases]\na = ""', 2, 'aliases.a is ""; expected a model\'s name'),
    ('[aliases]\na = "x\\u0007"', 2, 'aliases.a is "x\\u0007"; expected a model\'s name'),
    ('[aliases]\n"a\\n" = "x"', 2, "aliases.a\\u000a cannot be used: it begins or ends with a space"),
    ('[aliases]\na = "A"', 2, "aliases.a is its own target"),
    ('[aliases]\na = "b"\nB = "x:y"', 2, 'aliases.a leads to "b", itself an alias; an alias is one step'),
    ('[aliases]\na = "b"\nb = "a"', 2, 'aliases.a leads to "b", itself an alias'),
    ('[aliases]\na = "x"\nA = "y"', 3, "aliases.A cannot be used: it is here twice"),
    ("losses = 1", 1, "losses is 1; expected a table"),
    ('[losses]\ntop_k = "drop"', 2, 'losses.top_k is "drop"; expected warn, strict or silent'),
    (
        '[losses]\n"tools[3].strict" = "warn"',
        2,
        "losses.tools[3].strict cannot be used: it is not a field's dotted path",
    ),
    ("[backends.x]\nprofile = 1", 2, "backends.x.profile is 1; expected a table of flags"),
    (
        "[backends.x.profile]\nthinkers = 'x'",
        2,
        "backends.x.profile.thinkers cannot be used: it is not a known flag; expected one of",
    ),
    ("[backends.x.profile]\ntool_images = 1", 2, "backends.x.profile.tool_images is 1; expected on or off"),
    ("[backends.x.profile]\nname_limit = 3", 2, "backends.x.profile.name_limit is 3; expected a whole number"),
    ('[backends.x.profile]\nprefill = "on"', 2, 'backends.x.profile.prefill is "on"; expected one of "", "continue"'),
    ('[backends.x.profile]\nshapes = "x"', 2, 'backends.x.profile.shapes is "x"; expected a list of texts'),
    ("prices = 1", 1, "prices is 1; expected tables such as"),
    ("[prices]\nx = 2", 2, 'prices.x is 2; expected a table, such as [prices."x"] with input and output'),
    ("[prices.x]\ninput = -1", 2, "prices.x.input is -1; expected US dollars per million tokens"),
    ("[prices.x]\ninput = true", 2, "prices.x.input is true; expected US dollars"),
    ("[prices.x]\noutput = inf", 2, "prices.x.output is inf; expected US dollars"),
    ("[prices.x]\noutput = nan", 2, "prices.x.output is nan; expected US dollars"),
    ('[prices.x]\noutput = "3"', 2, 'prices.x.output is "3"; expected US dollars'),
    ("[prices.x]\n[prices.X]", 2, "prices.X cannot be used: it is here twice"),
    ('[prices.""]', 1, "cannot be used: expected a model's name"),
    ("routes = 1", 1, "routes is 1; expected a list of rules"),
    ("[routes]\nmodel = 'x'", 1, "routes is a table; expected a list of rules"),
    ("routes = [1]", 1, "routes 1 is 1; expected a table"),
    ("[[routes]]\nname = 'x'", 1, "routes 1 does nothing; expected a backend"),
    ("[[routes]]\nmodel = 'x'\n[[routes]]\nwhen.tools = true", 3, "routes 2 does nothing"),
    ("[[routes]]\nmodel = 'x'\nname = 5", 3, "routes 1 name is 5; expected a text"),
    ("[[routes]]\nmodel='x'\nname='a'\n[[routes]]\nmodel='y'\nname='a'", 6, 'routes 2 name is "a", as an earlier'),
    ("[[routes]]\nmodel='x'\nwhen = 1", 3, "routes 1 when is 1; expected a table with keys such as model"),
    ("[[routes]]\nmodel='x'\n[routes.when]\ntokens_over = -5", 4, "routes 1 when.tokens_over is -5; expected a whole"),
    ("[[routes]]\nmodel='x'\nwhen.tokens_over = 1.5", 3, "routes 1 when.tokens_over is 1.5; expected a whole"),
    ("[[routes]]\nmodel='x'\nwhen.tokens_ovr = 5", 3, "routes 1 when.tokens_ovr is not a known condition"),
    ("[[routes]]\nmodel='x'\nwhen.tools = 1", 3, "routes 1 when.tools is 1; expected on or off"),
    ("[[routes]]\nmodel='x'\nwhen.protocol = 'grpc'", 3, "expected messages, chat, responses or gemini"),
    (
        "[[routes]]\nmodel='x'\nwhen = {tokens_over = 10, tokens_under = 11}",
        3,
        "routes 1 when.tokens_under is 11; no number is both under it and over tokens_over.",
    ),
    ("[[routes]]\nbackend = 'a b'", 2, 'routes 1 backend is "a b"; expected a backend\'s name'),
    ("[[routes]]\nmax_tokens = 0", 2, "routes 1 max_tokens is 0; expected a whole number of tokens, 1 or more"),
    ("[[routes]]\neffort = 'huge'", 2, 'routes 1 effort is "huge"; expected none, minimal,'),
    ("[[routes]]\nset_fields = {model = 'x'}", 2, "routes 1 set_fields.model cannot be used: a rule's"),
    ("[[routes]]\nset_fields.a = 2026-01-01", 2, "routes 1 set_fields.a is 2026-01-01; expected a text, number"),
    ("[[routes]]\nremove_fields = ['a', 'stream']", 2, 'remove_fields 2 names "stream", which cannot be used'),
    ("[[routes]]\nremove_headers = ['Host']", 2, 'routes 1 remove_headers 1 names "Host", which cannot be used'),
    (
        "[[routes]]\nremove_headers = 'cookie'",
        2,
        'routes 1 remove_headers names "cookie", which cannot be used: cookies',
    ),
    ("[[routes]]\nset_headers = {x-a='1'}\nremove_headers = ['X-A']", 3, "names x-a, which set_headers sets"),
    ("[[routes]]\nset_fields = {a=1}\nremove_fields = ['a']", 3, "names a, which set_fields sets"),
    ("backends = []", 1, "backends is a list; expected tables such as [backends.NAME]"),
    ("[backends]\ngroq = 1", 2, "backends.groq is 1; expected a table, such as [backends.groq]"),
    ("[backends.'a b']", 1, "backends.a b cannot be used: expected a backend's name"),
    ("[backends.Groq]\n[backends.groq]", 2, "backends.groq cannot be used: it is here twice"),
    ("[backends.groq]\ntimeouts = 5", 2, "backends.groq.timeouts is 5; expected a table with keys such as connect"),
    ("[backends.groq.timeouts]\nidle = '0s'", 2, 'backends.groq.timeouts.idle is "0s"; expected a number'),
    ("[backends.groq]\nusage_probe = 3", 2, "backends.groq.usage_probe is 3; expected on or off"),
    ("[backends.g.set_headers]\nx-a = 5", 2, "backends.g.set_headers.x-a is set; expected a header's value"),
    ("[backends.g.set_headers]\nx-a = 'hid\\u0007den'".replace("'", '"'), 2, "set_headers.x-a is set; expected"),
    ("[backends.g.set_headers]\nAuthorization = 'hidden'", 2, "Authorization cannot be used: credentials belong"),
    ("[backends.g]\nset_headers = 'hidden'", 2, "backends.g.set_headers is set; expected a table"),
]


@pytest.mark.parametrize(("text", "line", "said"), BAD)
def test_what_is_wrong_is_said_with_its_place(text, line, said):
    """File, line, key, what stands there, what was expected; a command that mends it; nothing secret."""
    with pytest.raises(CommandError) as caught:
        settings_of(text)
    message = str(caught.value)
    assert message.startswith(f"~/.fairlead/config.toml, line {line}: ")
    assert said in message
    assert message.endswith(".")
    assert "hidden" not in message
    assert "secret" not in message
    assert "fairlead config edit" in caught.value.hint


def test_error_for_a_wrong_time_word_for_word():
    """The error for a wrong time names line, key, value and what was expected, and the command that helps."""
    text = "\n" * 12 + '[timeouts]\nidle = "two minutes"\n'
    with pytest.raises(CommandError) as caught:
        settings_of(text)
    assert str(caught.value) == (
        '~/.fairlead/config.toml, line 14: timeouts.idle is "two minutes"; '
        "expected a number with a unit, such as 120s or 2m."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 5", "line 1: unknown key prot; did you mean port?"),
        ("\n[timeouts]\nidel = 'x'", "line 3: unknown key timeouts.idel; did you mean timeouts.idle?"),
        ("[qwertz]\na = 1", "line 1: unknown key qwertz."),
        ("[[route]]\na = 1", "line 1: unknown key route; did you mean routes?"),
        (
            "[[routes]]\nmodel='x'\nbackand='y'",
            "line 3: unknown key routes 1 backand; did you mean backend?",
        ),
        ("[backends.g]\ntimeouts.idl = 1", "line 2: unknown key backends.g.timeouts.idl; did you mean"),
        ('"a\\u001b" = 1', "line 1: unknown key a\\u001b."),
    ],
)
def test_unknown_keys_are_told_and_kept(text, said):
    """A warning with the nearest known key; the rest holds."""
    loaded = resolve({}, {}, read(f"{text}\n"))
    [warning] = loaded.warnings
    assert said in warning
    assert len(loaded.unknown) == 1
    assert loaded.settings.port == 3456


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[prices."gpt-4.1"]\ninput = 2', "line 1: prices.gpt-4.1 has no output price"),
        ("[prices.m]\noutput = 2\ncache_read = 1", "line 1: prices.m has no input price"),
        ("prices.m.cache_read = 1", "line 1: prices.m has no input and no output price"),
    ],
)
def test_half_a_price_is_told(text, said):
    """A warning with the commands that set what lacks; a file that holds one keeps working."""
    [warning] = resolve({}, {}, read(f"{text}\n")).warnings
    assert said in warning
    assert "fairlead config set prices." in warning


@given(
    st.recursive(
        st.integers() | st.text(max_size=4) | st.booleans(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["timeouts", "idle", "when", "model", "set_headers", "x-a", "a.b"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    ),
    st.sampled_from(["port", "timeouts", "aliases", "routes", "backends", "model", "x"]),
)
def test_any_tree_is_settings_or_an_error(value, key):
    """Whatever stands under a key: settings, or an error with a place."""
    try:
        resolve({}, {}, ConfigFile("config.toml", {key: value}, {(key,): 1}))
    except CommandError as error:
        said = str(error)
        assert said.startswith("config.toml, line 1: ")


def test_labels():
    """Rules and list entries count from 1, as people do."""
    assert format_path(("routes", 1, "when", "model")) == "routes 2 when.model"
    assert format_path(("backends", "g", "remove_headers", 0)) == "backends.g.remove_headers 1"


def test_a_bad_value_is_an_error_below_a_good_one():
    """The environment's value does not hide what is wrong in the file."""
    with pytest.raises(CommandError, match="line 1: port"):
        load({"FAIRLEAD_PORT": "1"}, {"port": "2"}, read("port = 'x'"))
