"""Secrets in texts of upstreams: found in every spelling, and nothing else is touched."""

import base64
import json
import random

import pytest

from router.redaction import KEYS, MARK, SEARCH_LIMIT, Redactor, remove_controls
from router.settings.secret_names import is_secret_name

from .growth import grows_evenly
from .spellings import SPELLINGS, leaks

# With what each of the codings changes.
KEY = 'sk-proj-Ab/9+cd_EF-gh~ij"k&lm%41Zz0123456789'


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("form", ['{"error":{"message":"bad key %s given"}}', "%s", "x=%s&y=1", "<b>%s</b>"])
def test_a_key_is_found_in_each_spelling(spelling, form):
    """What is left cannot be read as the key, and the words around it stay."""
    text = (form % SPELLINGS[spelling](KEY)).encode()
    assert leaks(KEY, text)
    found = Redactor([KEY]).redact(text)
    assert not leaks(KEY, found)
    assert MARK in found
    assert found.startswith(form.partition("%s")[0].encode())
    assert found.endswith(form.partition("%s")[2].encode())


@pytest.mark.parametrize("outer", SPELLINGS)
@pytest.mark.parametrize("inner", ["JSON all", "URL partly", "HTML numbers", "base64 at 1", "hex"])
def test_a_key_is_found_in_a_spelling_of_a_spelling(outer, inner):
    """A gateway escapes once more what the server behind it escaped."""
    text = f'{{"error":"got {SPELLINGS[outer](SPELLINGS[inner](KEY))}"}}'.encode()
    found = Redactor([KEY]).redact(text)
    assert found is None or not leaks(KEY, found)


@pytest.mark.parametrize(
    "text",
    [
        b'{"error":{"message":"Rate limit reached for gpt-5 in organization org-abcdefghijklmnop","code":"x"}}',
        b"%7B%22a%22%3A1%7D &lt;b&gt; \\u00e9 \\\\server\\share \\n 68656c6c6f20776f726c64 aGVsbG8gd29ybGQ=",
        "schlüssel \N{EURO SIGN} \\ud83d\\ude00".encode(),
        b"sk-proj-Ab/9 and sk-proj",
        b"",
        bytes(range(256)),
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text):
    """Byte for byte, whatever it holds that looks escaped."""
    assert Redactor([KEY]).redact(text) is text


def test_json_stays_json():
    """Whole escapes are taken out, so that what was valid stays so."""
    body = json.dumps({"error": {"message": f'bad \\ {KEY} / " {KEY}', "raw": json.dumps({"key": KEY})}})
    found = json.loads(Redactor([KEY]).redact(body.replace("/", "\\/").encode()))
    assert found["error"]["message"] == 'bad \\ [redacted] / " [redacted]'
    assert json.loads(found["error"]["raw"]) == {"key": "[redacted]"}


@pytest.mark.parametrize("size", [23, 30, len(KEY) - 1])
@pytest.mark.parametrize("end", ["", '"}}', "…", " and so on"])
def test_the_larger_part_of_a_key_is_one(size, end):
    """A text that was cut inside the key does not give most of it away."""
    found = Redactor([KEY]).redact(f'{{"error":{{"message":"bad {KEY[:size]}{end}'.encode())
    assert found == f'{{"error":{{"message":"bad [redacted]{end}'.encode()


@pytest.mark.parametrize("word", ["", "ollama", "secret", "none"])
def test_short_secrets_are_left(word):
    """A key of fewer than eight characters may be an ordinary word."""
    redactor = Redactor([word])
    assert not redactor
    assert redactor.redact(b"the secret of ollama is none") == b"the secret of ollama is none"


def test_a_short_key_is_found_whole_alone():
    """The first letters of a short key may be an ordinary word."""
    redactor = Redactor(["ollama-local"])
    assert redactor.redact(b"ollama-lo and ollama-local") == b"ollama-lo and [redacted]"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("Bearer tok-0123456789", ["tok-0123456789"]),
        ("Basic " + base64.b64encode(b"me:hunter2hunter2").decode(), ["hunter2hunter2"]),
        ("ApiKey  zzzz-0123456789", ["zzzz-0123456789"]),
    ],
)
def test_the_parts_of_a_header_are_secrets(value, parts):
    """An upstream repeats a credential without the word before it, or a password without its user."""
    redactor = Redactor([value])
    for part in parts:
        assert redactor.redact(f"no {part} here".encode()) == b"no [redacted] here"


PRESIGNED = (
    "bedrock.amazonaws.com/?Action=CallWithBearerToken&X-Amz-Credential=AKIA0%2F20261201%2Fus-east-1%2Fbedrock"
    "&X-Amz-SignedHeaders=host&X-Amz-Security-Token=IQoJb3JpZ2luX2VjE%2FRandom%2Bsession%3D%3D"
    "&X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef&Version=1"
)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (PRESIGNED, "X-Amz-Security-Token=IQ"),
        ("POST\n/\nX-Amz-Security-Token=IQoJb3JpZ2luX2VjE%2FRandom%2Bsession%3D%3D\nhost", "IQoJb3JpZ2luX2VjE"),
        ("the session IQoJb3JpZ2luX2VjE/Random+session== has expired", "IQoJb3JpZ2luX2VjE"),
        ("signature 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef is wrong", "0123456789abcdef"),
    ],
)
def test_what_a_bedrock_key_holds_is_secret_by_itself(text, secret):
    """It is a presigned URL in base64, whose session and signature AWS repeats in errors."""
    key = "bedrock-api-key-" + base64.b64encode(PRESIGNED.encode()).decode()
    assert secret in text
    found = Redactor([key]).redact_text(json.dumps({"message": text}))
    assert secret not in found
    assert MARK.decode() in found


def test_a_bedrock_key_that_is_none_is_one_secret():
    """What cannot be decoded is looked for as it is."""
    assert Redactor(["bedrock-api-key-***"]).secrets == ("bedrock-api-key-***",)
    assert "bedrock-api-key-YWJjZGVmZ2g=" in Redactor(["bedrock-api-key-YWJjZGVmZ2g="]).secrets


@pytest.mark.parametrize(
    "key",
    [
        "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9B",
        "ABSKQmVkcm9ja0FQSUtleS0w+/abcdef0123456789==",
        "ya29.a0AfH6SMBx-y_z0123456789",
        "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.c2lnbmF0dXJl-_",
    ],
)
def test_keys_of_clouds_are_known_by_their_form(key):
    """Where nothing else is known of them."""
    assert KEYS.sub("X", f'{{"a": "{key}", "b": 1}}') == '{"a": "X", "b": 1}'


def test_an_image_is_no_key_of_a_cloud():
    """Four letters inside of a long base64 are an accident."""
    text = "iVBORw0KGgo" + "AAABSKAAAAAAAAAAAAAAAA" * 3
    assert KEYS.sub("X", text) == text


def test_a_key_across_line_ends():
    """In the halves of an event's data, in base64 of mails, in UTF-16."""
    redactor = Redactor([KEY])
    folded = base64.encodebytes(f"{'x' * 50}{KEY}{'y' * 50}".encode())
    for text in (f"data: {KEY[:9]}\r\ndata: {KEY[9:]}\n\n".encode(), folded, json.dumps(folded.decode()).encode()):
        assert not leaks(KEY, redactor.redact(text))
    assert KEY not in redactor.redact(KEY.encode("utf-16")).replace(b"\0", b"").decode("latin-1")


def test_what_cannot_be_searched_is_not_passed_on():
    """A text over the bound, and one that is escaped in more ways than any server does."""
    redactor = Redactor([KEY])
    assert redactor.redact(b"x" * (SEARCH_LIMIT + 1)) is None
    text = KEY
    for number in range(14):
        form = ("%{:02x}", "&#{};", "\\u{:04x}")[number % 3]
        text = "".join(form.format(ord(char)) if char in "%&\\" or not number else char for char in text)
    assert redactor.redact(text.encode()) is None
    assert redactor.redact_text("x" * (SEARCH_LIMIT + 1)) == "[redacted]"


def test_random_mixtures():
    """Each character of a key in another spelling."""
    chance = random.Random(7)
    forms = (str, "%{:02x}".format, "\\u{:04X}".format, "&#{};".format, "&#x{:x};".format, "%25{:02X}".format)
    for _ in range(2000):
        said = "".join(
            char if (form := chance.choice(forms)) is str else form(ord(char)) for char in KEY.replace('"', "")
        )
        found = Redactor([KEY.replace('"', "")]).redact(f"bad {said} key".encode())
        assert found == b"bad [redacted] key", said


HOSTILE = {
    "backslashes": b"\\",
    "percents": b"%25",
    "entities": b"&amp;",
    "letters": b"QUJD",
    "digits": b"41",
    "lines": b"\n",
    "nulls": b"\0",
    "words": b"aaaaaaaaaaa ",
    "escapes": b"\\u0041",
    "escaped escapes": b"%5c%75%30",
    "beginnings of the key": KEY[:16].encode(),
    "halves of the key": KEY[:30].encode(),
    "prose": b"The quick brown fox\\njumped over the lazydogs_and_others. ",
    "binary": bytes(range(256)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_time_grows_with_the_text(name):
    """Twice the text takes less than three times as long."""
    redactor = Redactor([KEY, "another-key-0123456789"])
    grows_evenly(
        lambda size: (HOSTILE[name] * (size // len(HOSTILE[name]) + 1))[:size], redactor.redact, 100_000, slack=0.02
    )


def test_controls_become_spaces():
    """Escape sequences and bidirectional marks do not act on who reads a message."""
    assert remove_controls("a\x1b]0;x\x07b\u202ec\u200bd") == "a ]0;x b c d"
    assert remove_controls("plain \N{EURO SIGN}") == "plain \N{EURO SIGN}"


@pytest.mark.parametrize("size", [8, 9, 10, 11, 12, 13, 20, 22, 30, 60])
@pytest.mark.parametrize("around", ["", "0f", "u:x"])
def test_the_quick_look_sees_a_key_that_is_coded_twice(size, around):
    """In the head of a good answer, where only what is suspect is looked through; also a key that is shorter than ids
    are."""
    key = "gsk_XeZFCsVD/a0+0123~4567&89_AZaz-xyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[:size]
    inner = base64.b64encode((around + key).encode()).rstrip(b"=")
    for coded in (
        base64.b64encode(inner).rstrip(b"="),
        inner.hex().encode(),
        base64.b64encode(key.encode().hex().encode()),
    ):
        assert Redactor([key]).suspects([b"ok", around.encode() + coded + b"x"]), coded


def test_the_quick_look_passes_ids():
    """Of keys as providers issue them: a usual head costs no search."""
    assert not Redactor([f"sk-ant-api03-{'a1' * 40}"]).suspects([b"req_011CSHoEeqs5C35K2UUqR7Fy", b"8f" * 18])
    assert not Redactor([]).suspects([b"8f" * 18])


@pytest.mark.parametrize(
    "secret",
    [
        "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl==",
        "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t",
        "AKIAIOSFODNN7EXAMPLE",
        "ya29.a0AfH6SMB-example_token",
        "nvapi-abcdefghijklmnop",
        "hf_abcdefghijklmnop",
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln",
        "X-Amz-Signature=0123456789abcdef",
        "X-Amz-Security-Token=IQoJb3JpZ2luX2Vj%2Fexample",
    ],
)
def test_credentials_of_clouds_look_like_keys(secret):
    """A cloud's key, token, JWT or presigned query in a log is removed by its look, and the words around it stay."""
    assert KEYS.sub("[redacted]", f"it said {secret} twice") == "it said [redacted] twice"
    assert KEYS.sub("", "an eyJe, a hf_word and X-Amz-Date=20260801") == "an eyJe, a hf_word and X-Amz-Date=20260801"


@pytest.mark.parametrize(
    "name", ["X-Amz-Security-Token", "X-Amz-Credential", "X-Amz-Signature", "api-key", "refresh_token", "assertion"]
)
def test_credentials_of_clouds_have_secret_names(name):
    """The names by which clouds are sent credentials say that their values are secret."""
    assert is_secret_name(name)
