"""References to keys: their forms, what is refused when they are given, and how lists show them."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.store.keys.references import (
    Reference,
    add_region,
    describe,
    looks_like_one,
    parse,
    source,
    to_cloud,
    to_command,
    to_entry,
    to_file,
    to_variable,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("env:MY_KEY", ("env", ("MY_KEY",))),
        ("file:/run/key", ("file", ("/run/key",))),
        ("file:~/key one", ("file", ("~/key one",))),
        ('cmd:["pass", "show", "a b"]', ("cmd", ("pass", "show", "a b"))),
        ('cmd:["~/bin/key", "|", "$X", ""]', ("cmd", ("~/bin/key", "|", "$X", ""))),
        ("keyring:fairlead/groq", ("keyring", ("fairlead", "groq"))),
        ("keyring:https://x.example/api/me", ("keyring", ("https://x.example/api", "me"))),
        ("login:work", ("login", ("work",))),
        ("aws:bedrock", ("aws", ("bedrock", ""))),
        ("aws:bedrock@us-east-1", ("aws", ("bedrock", ""), "us-east-1")),
        ("aws:bedrock/me@corp", ("aws", ("bedrock", "me@corp"))),
        ("aws:bedrock/me@corp@us-gov-west-1", ("aws", ("bedrock", "me@corp"), "us-gov-west-1")),
        ("google:adc", ("google", ("adc",))),
        ("google:metadata", ("google", ("metadata",))),
        ("google:~/keys/robot@us-east-1", ("google", ("~/keys/robot@us-east-1",))),
        ("azure:metadata", ("azure", ("metadata", ""))),
        ("azure:metadata/0f-1e", ("azure", ("metadata", "0f-1e"))),
        ('cmd:["aws", "x@us-east-1"]@eu-west-2', ("cmd", ("aws", "x@us-east-1"), "eu-west-2")),
        ("sk-literal", None),
        ("id:secret", None),
    ],
)
def test_each_form_is_taken_apart(text, found):
    """The forms of references; any other text is a key."""
    assert parse(text) == (Reference(*found) if found else None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("env:", "not a valid environment variable name"),
        ("env:$KEY", "not a valid environment variable name"),
        ("env:" + "A" * 5000, "longer than"),
        ("file:", "path is empty"),
        ("file:key.txt", "expected an absolute one"),
        ("file:./key.txt", "expected an absolute one"),
        ("file:/a\nb", "control character"),
        ("file:/a\0b", "control character"),
        ("aws:", "expected bedrock"),
        ("aws:default", "expected bedrock"),
        ("aws:bedrock/", "expected bedrock"),
        ("aws:bedrock/a\nb", "expected bedrock"),
        ("google:", "path is empty"),
        ("google:key.json", "expected an absolute one"),
        ("azure:", "expected metadata"),
        ("azure:metadata/", "expected metadata"),
        ("azure:metadata/x&y", "expected metadata"),
        ("cmd:pass show x | head -1", "not a JSON list of words"),
        ('cmd:["pass"]@nowhere', "not a JSON list of words"),
        ("cmd:", "not a JSON list of words"),
        ('cmd:"pass"', "not a JSON list of words"),
        ('cmd:{"a": 1}', "not a JSON list of words"),
        ('cmd:["pass", 1]', "not a JSON list of words"),
        ('cmd:["pass", ["x"]]', "not a JSON list of words"),
        ("cmd:" + "[" * 4000, "not a JSON list of words"),
        ("cmd:[]", "is empty"),
        ('cmd:["", "x"]', "is empty"),
        ('cmd:["./key"]', "a name on PATH or an absolute path"),
        ('cmd:["bin/key"]', "a name on PATH or an absolute path"),
        ('cmd:["pass", "a\\u0000b"]', "control character"),
        ('cmd:["pa\\u001bss"]', "control character"),
        ("cmd:" + json.dumps(["x"] * 300), "longer than"),
        ("keyring:groq", "expected SERVICE/USER"),
        ("keyring:/groq", "expected SERVICE/USER"),
        ("keyring:groq/", "expected SERVICE/USER"),
        ("keyring:a/b\x07", "expected SERVICE/USER"),
    ],
)
def test_malformed_reference_is_refused(text, fault):
    """A reference that cannot be resolved is an error when it is read, never a key; the text is one plain line."""
    with pytest.raises(CommandError, match=fault) as refused:
        parse(text)
    assert str(refused.value).isprintable()
    assert describe(text, {}).endswith("reference, malformed")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pass show openai", ["pass", "show", "openai"]),
        ("op read 'op://vault/a b/key'", ["op", "read", "op://vault/a b/key"]),
        ("sh -c 'pass show x | head -1'", ["sh", "-c", "pass show x | head -1"]),
        (r"printf a\|b", ["printf", "a|b"]),
        ("'/opt/my tools/key' --x=1", ["/opt/my tools/key", "--x=1"]),
        ('["op", "read", "a|b", "$(x)"]', ["op", "read", "a|b", "$(x)"]),
        ("schlüssel hole", ["schlüssel", "hole"]),
    ],
)
@pytest.mark.skipif("sys.platform == 'win32'", reason="a backslash is no escape there")
def test_command_line_becomes_words(line, words):
    """Quotes and backslashes work as in a shell; a JSON list is taken as it is."""
    assert parse(to_command(line)) == Reference("cmd", tuple(words))


@pytest.mark.parametrize(
    ("line", "sign"),
    [
        ("pass show x | head -1", "|"),
        ("a; b", ";"),
        ("a && b", "&"),
        ("a > /tmp/x", ">"),
        ("a < /tmp/x", "<"),
        ("echo $KEY", r"\$"),
        ('echo "$KEY"', r"\$"),
        ("echo `id`", "`"),
        ('echo "`id`"', "`"),
        ("(a)", r"\("),
        ("a\nb", "line end"),
    ],
)
def test_what_needs_a_shell_is_refused(line, sign):
    """A command line that only a shell would carry out is refused, naming the sign and the way to ask for a shell."""
    with pytest.raises(CommandError, match=f"has a {sign} for a shell") as refused:
        to_command(line)
    assert "sh -c" in refused.value.hint


@pytest.mark.parametrize(("line", "fault"), [("", "is empty"), ("  ", "is empty"), ("a 'b", "split"), ("./x", "PATH")])
def test_bad_command_line_is_refused(line, fault):
    """An empty, unbalanced or folder-dependent command is refused when it is given."""
    with pytest.raises(CommandError, match=fault):
        to_command(line)


def test_relative_paths_are_refused_with_the_whole_one(tmp_path, monkeypatch):
    """What depends on the working directory is refused; the hint says what it is here."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CommandError) as refused:
        to_file("key.txt")
    assert str(tmp_path / "key.txt") in refused.value.hint


def test_references_are_written_as_they_are_read():
    """What the constructors write, `parse` reads."""
    assert parse(to_variable("A_1")) == Reference("env", ("A_1",))
    assert parse(to_file("~/k")) == Reference("file", ("~/k",))
    assert parse(to_entry("a/b/c")) == Reference("keyring", ("a/b", "c"))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), min_size=1, max_size=8))
def test_words_come_back_as_they_were(words):
    """Any list of words survives, whatever a shell would make of it."""
    line = json.dumps(["pass", *words])
    assert parse(to_command(line)) == Reference("cmd", ("pass", *words))


@given(st.text())
def test_any_text_is_read_or_refused(text):
    """No text breaks the reader, and a list can show every one."""
    for prefix in ("", "env:", "file:", "cmd:", "keyring:", "aws:", "aws:bedrock/", "google:", "azure:metadata/"):
        with contextlib.suppress(CommandError):
            parse(prefix + text)
        assert describe(prefix + text, {}).startswith("key ")


@given(st.text(max_size=30), st.sampled_from(["us-east-1", "eusc-de-east-1", "ap-southeast-2"]))
def test_a_region_is_added_once(profile, region):
    """To the references whose key hangs on it, unless they name their own; nothing else changes."""
    for text in (f"aws:bedrock/{profile}", f'cmd:["{"".join(filter(str.isalnum, profile))}x"]', "env:X", "google:adc"):
        with contextlib.suppress(CommandError):
            before, after = parse(text), parse(add_region(text, region))
            assert after is not None
            assert before is not None
            assert after.words == before.words
            assert after.region == (before.region or (region if before.kind in ("aws", "cmd") else ""))
            assert add_region(add_region(text, region), "us-west-9") == add_region(text, region)
            assert add_region(text, "") == text


@pytest.mark.parametrize("text", ["aws:bedrock", "google:~/robot.json", "google:adc", "azure:metadata"])
def test_what_a_user_names_is_the_reference(text):
    """--key-cloud takes it as it is stored."""
    assert to_cloud(text) == text
    assert describe(text, {}).startswith("key from ")
    assert source(text) == text.partition(":")[0]
    assert looks_like_one(text)


@pytest.mark.parametrize("text", ["", "aws", "bedrock", "env:X", "aws:", "azure:key", "google:robot.json", "cmd:[]"])
def test_another_source_is_no_cloud_s(text):
    """It is refused with the forms that are known."""
    with pytest.raises(CommandError) as refused:
        to_cloud(text)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("env:KEY", True),
        ("ENV:KEY", True),
        ("File:/x", True),
        ("command:pass", True),
        ("op://vault/item/field", True),
        ("https://x.example", True),
        ("sk-ant-api03-abc", False),
        ("id:secret", False),
        ("AIzaSyA-x:y", False),
    ],
)
def test_what_looks_like_a_reference_is_no_key(text, meant):
    """Misspelled forms and other tools' references are told from keys, of which some have a colon."""
    assert looks_like_one(text) is meant


def test_description_never_holds_a_key(tmp_path):
    """Lists say where a key comes from; of a command they show the first word."""
    file = tmp_path / "key"
    assert describe(f"file:{file}", {}) == f"key from file {file} (missing)"
    file.touch()
    assert describe(f"file:{file}", {}) == f"key from file {file}"
    assert describe("env:A_KEY", {"A_KEY": "sk-1"}) == "key from $A_KEY (set)"
    assert describe("env:A_KEY", {}) == "key from $A_KEY (not set)"
    assert describe('cmd:["pass", "show", "sk-secret"]', {}) == "key from command pass"
    assert describe("keyring:fairlead/groq", {}) == "key from keyring fairlead/groq"
    assert describe("sk-secret", {}) == "key stored"
    assert "secret" not in repr(parse('cmd:["pass", "sk-secret"]'))
    assert [source(text) for text in ("env:A", "file:/a", "cmd:[", "keyring:x", "sk-secret")] == [
        "env",
        "file",
        "cmd",
        "keyring",
        "stored",
    ]
