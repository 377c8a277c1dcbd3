"""`fairlead backend add` for providers whose URLs hold something of the user's own."""

import argparse

import pytest

from router.backends import Backend
from router.cli.backend import variables
from router.cli.backend.add import read_options
from router.errors import CommandError

VERTEX = ("vertex", "--project", "p-1", "--location", "global")


def words(text):
    return " ".join(text.split())


def test_a_cloud_is_saved_with_its_urls(fairlead, provider):
    """The values fill in the URLs of each protocol, which the file shows; and it is said what a key must be allowed."""
    done = fairlead("backend", "add", *VERTEX, "--base-url", provider.url, "--key-stdin", stdin="sk-good")
    saved = fairlead.backend("vertex")
    place = f"{provider.url}/v1/projects/p-1/locations/global"
    assert saved["root"] == f"{place}/endpoints/openapi"
    assert saved["roots"]["messages"] == f"{place}/publishers/anthropic"
    assert saved["variables"] == {"project": "p-1", "location": "global"}
    assert "aiplatform.endpoints.predict" in words(done.err)
    assert provider.url in done.out


def test_a_cloud_without_a_list_is_asked_for_an_answer(fairlead, provider, free_port):
    """Its provider has no list of models: it is reached only if a request was, and its path is not doubted."""
    away = fairlead(
        "backend", "add", *VERTEX, "--base-url", f"http://127.0.0.1:{free_port}", "--key-stdin", stdin="sk-good"
    )
    assert "reached in" not in away.out
    assert "nobody listens" in away.out or "refused" in away.out
    there = fairlead("backend", "add", *VERTEX, "--base-url", provider.url, "--key-stdin", stdin="sk-good")
    assert "but a request in messages failed:" in words(there.out)
    assert "Is its path right?" not in away.out + there.out
    assert provider.seen


def test_variables_of_the_environment(fairlead):
    """What the cloud's own tools read needs no option; the backend goes to the documented host."""
    environ = {"AWS_REGION": "eu-west-1", "FAIRLEAD_UPSTREAM_PROXY": "http://127.0.0.1:9"}
    fairlead("backend", "add", "bedrock", "--key-stdin", stdin="ABSKexample", **environ)
    assert fairlead.backend("bedrock")["root"] == "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"


def test_an_access_key_id_is_no_key(fairlead):
    """The id of one of AWS's access keys given in place of a Bedrock key is told."""
    done = fairlead(
        "backend",
        "add",
        "bedrock",
        "--region",
        "us-east-1",
        "--key-stdin",
        stdin="AKIA" + "A" * 16,
        FAIRLEAD_UPSTREAM_PROXY="http://127.0.0.1:9",
    )
    assert done.code == 1
    assert "is an AWS access key id, which is no key for requests" in words(done.err)
    assert "AKIAAAAA" not in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["vertex"], "vertex needs --project; expected the id or number of the Google Cloud project"),
        (["vertex", "--project", "p"], "needs --location"),
        (["vertex", "--project", "p/q", "--location", "global"], "--project does not have its form"),
        (["vertex", "--project", "p", "--location", "Europe"], "--location does not have its form"),
        (
            ["bedrock", "--region", "us_east"],
            "--region does not have its form; expected the AWS region, such as us-east-1",
        ),
        (["azure", "--resource", "https://res.openai.azure.com"], "name of the Azure resource, not its URL"),
        (["azure", "--resource", "res.x"], "--resource does not have its form"),
        (["cloudflare", "--account", "me"], "--account does not have its form"),
        (
            ["groq", "--region", "us-east-1"],
            "--region is for bedrock, bedrock-invoke, bedrock-mantle, claude-aws, and groq has none",
        ),
        (["x", "--region", "us-east-1", "--base-url", "https://x.example"], "and x has none"),
        (
            ["bedrock", "--region", "eu-west-1", "--base-url", "https://bedrock-runtime.us-east-1.amazonaws.com"],
            "--region and --base-url name two different ones",
        ),
        (["x", "--base-url", "https://x.example", "--no-key", "--auth-header", "basic"], '--auth-header is "basic"'),
    ],
)
def test_what_is_missing_or_malformed(fairlead, arguments, text):
    """It is refused with exit code 2 before anything is saved, named, with the form that was expected."""
    done = fairlead("backend", "add", *arguments)
    assert (done.code, done.out) == (2, "")
    assert text in words(done.err)
    assert not (fairlead.home / "backends").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["github-models"], "retired on 2026-07-30"),
        (["x", "--base-url", "https://models.github.ai/inference"], "retired on 2026-07-30"),
        (["x", "--base-url", "http://bedrock-runtime.us-east-1.amazonaws.com", "--insecure-http"], "https:// alone"),
        (
            ["x", "--base-url", "https://res.openai.azure.com/openai/deployments/d/chat/completions?api-version=1"],
            "use https://res.openai.azure.com/openai/v1",
        ),
        (["vertexx"], "Did you mean vertex?"),
        (["hf"], "Did you mean huggingface?"),
    ],
)
def test_what_cannot_be_added(fairlead, arguments, text):
    """Retired APIs, plain http to a cloud and former URLs are refused with what to use instead."""
    done = fairlead("backend", "add", *arguments)
    assert (done.code, done.out) == (1, "")
    assert text in words(done.err)


def test_it_stays_where_it_is(fairlead, provider):
    """A new key needs no values again; a new value with others kept moves the backend, which drops its key."""
    environ = {"FAIRLEAD_UPSTREAM_PROXY": "http://127.0.0.1:9"}
    fairlead("backend", "add", *VERTEX, "--key-stdin", stdin="sk-good", **environ)
    before = fairlead.backend("vertex")
    fairlead("backend", "add", "vertex", "--key-stdin", stdin="sk-other", **environ)
    after = fairlead.backend("vertex")
    assert (after["root"], after["roots"], after["variables"]) == (before["root"], before["roots"], before["variables"])
    fairlead("backend", "add", "vertex", "--location", "eu", "--key-stdin", stdin="sk-third", **environ)
    assert "aiplatform.eu.rep.googleapis.com/v1/projects/p-1/locations/eu" in fairlead.backend("vertex")["root"]


def test_a_value_is_changed(fairlead, provider):
    """`backend set` moves a backend to another region with all of its URLs, and its key stays behind unless a new one
    is given; one at a place of the user's own stays there."""
    environ = {"FAIRLEAD_UPSTREAM_PROXY": "http://127.0.0.1:9"}
    fairlead("backend", "add", *VERTEX, "--key-stdin", stdin="sk-good", **environ)
    done = fairlead("backend", "set", "vertex", "--location", "eu", **environ)
    saved = fairlead.backend("vertex")
    place = "https://aiplatform.eu.rep.googleapis.com/v1/projects/p-1/locations/eu"
    assert saved["root"] == f"{place}/endpoints/openapi"
    assert saved["roots"]["messages"] == f"{place}/publishers/anthropic"
    assert saved["variables"] == {"project": "p-1", "location": "eu"}
    assert saved["accounts"] == []
    assert "the base URL changed" in words(done.out + done.err)
    fairlead("backend", "set", "vertex", "--project", "p-2", "--key-stdin", stdin="sk-new", **environ)
    saved = fairlead.backend("vertex")
    assert "/projects/p-2/locations/eu/" in saved["root"]
    assert [one["key"] for one in saved["accounts"]] == ["sk-new"]
    fairlead("backend", "add", *VERTEX, "--base-url", provider.url, "--key-stdin", stdin="sk-good")
    fairlead("backend", "set", "vertex", "--project", "p-3")
    assert fairlead.backend("vertex")["root"].startswith(f"{provider.url}/v1/projects/p-3/locations/")


@pytest.mark.parametrize(
    ("name", "option", "text"),
    [
        ("vertex", ("--location", "Europe"), "--location does not have its form"),
        ("vertex", ("--region", "us-east-1"), "and vertex has none"),
        ("office", ("--region", "us-east-1"), "and office has none"),
    ],
)
def test_a_value_that_cannot_be_changed(fairlead, provider, name, option, text):
    """It is refused before anything is saved."""
    fairlead("backend", "add", *VERTEX, "--base-url", provider.url, "--key-stdin", stdin="sk-good")
    fairlead("backend", "add", "office", "--base-url", provider.url, "--protocols", "chat", "--no-key")
    before = fairlead.backend(name)
    done = fairlead("backend", "set", name, *option)
    assert (done.code, fairlead.backend(name)) == (2, before)
    assert text in words(done.err)


def test_the_keys_header_is_kept(fairlead, provider):
    """The chosen header stays when other settings change, is shown in the list, and can be changed."""
    added = ("--base-url", provider.url, "--protocols", "chat", "--auth-header", "api-key", "--key-stdin")
    fairlead("backend", "add", "office", *added, stdin="sk-good")
    assert fairlead.backend("office")["auth_header"] == "api-key"
    fairlead("backend", "set", "office", "--protocols", "chat,messages")
    assert fairlead.backend("office")["auth_header"] == "api-key"
    assert "key as api-key" in fairlead("backend", "list").out
    done = fairlead("backend", "set", "office", "--auth-header", "bearer")
    assert "key accepted" in done.out
    assert fairlead.backend("office")["auth_header"] == "bearer"


def ask(monkeypatch, arguments, *typed, before=None):
    """The values that a terminal gives."""
    lines = iter(typed)

    def read(prompt):
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(variables, "has_terminal", lambda: True)
    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr(variables.os, "environ", {})
    options = read_options(arguments)
    assert isinstance(options, argparse.Namespace)
    return variables.choose_variables(options, arguments[0], None, before)


def test_a_terminal_is_asked(monkeypatch):
    """What is missing is asked for in order; a malformed answer and the end of the input end the command."""
    assert ask(monkeypatch, ["vertex"], " p-1 ", "eu") == {"project": "p-1", "location": "eu"}
    assert ask(monkeypatch, ["vertex", "--location", "eu"], "p-2") == {"project": "p-2", "location": "eu"}
    for typed in (["p/q"], [""], []):
        with pytest.raises(CommandError, match="project"):
            ask(monkeypatch, ["vertex", "--location", "eu"], *typed)


def test_another_backend_of_the_name_is_completed(monkeypatch):
    """A backend of the name that is no instance of the provider does not keep it from being asked for."""
    own = Backend(name="vertex", root="https://own.example/v1", protocols=("chat",))
    assert ask(monkeypatch, ["vertex"], "p-1", "eu", before=own) == {"project": "p-1", "location": "eu"}


def test_a_refused_form_of_the_key_is_named(fairlead, provider):
    """A server that wants the key elsewhere refuses it: the header it was sent in is told, where that was a choice."""
    added = ("--base-url", provider.url, "--protocols", "chat", "--auth-header", "x-goog-api-key", "--key-stdin")
    done = fairlead("backend", "add", "office", *added, stdin="sk-good")
    assert done.code == 1
    assert "the key was sent as x-goog-api-key: KEY." in done.out
    assert "--auth-header FORM" in done.out


def test_a_former_address_is_told(fairlead):
    """A provider that has moved is added where the user says, with a word of where it is now."""
    done = fairlead(
        "backend",
        "add",
        "nebius",
        "--base-url",
        "https://api.studio.nebius.ai",
        "--key-stdin",
        stdin="k-1234",
        FAIRLEAD_UPSTREAM_PROXY="http://127.0.0.1:9",
    )
    assert "has moved to https://api.tokenfactory.nebius.com/v1" in words(done.err)
    assert fairlead.backend("nebius")["vendor"] == "nebius"
