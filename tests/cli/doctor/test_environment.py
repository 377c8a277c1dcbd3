"""The checks of this shell's variables."""

import pytest

HERE = "http://localhost:3456"
ANEW = 'Set them anew: eval "$(fairlead env)"'


def judge(examine, **environ):
    """Verdict, text and what to do, of each row."""
    return [(row["status"], row["text"], row["fix"]) for row in examine("env", **environ).find("env")]


@pytest.mark.parametrize("url", [HERE, "http://127.0.0.1:3456", "http://[::1]:3456", f"{HERE}/"])
def test_variables_that_point_here(examine, url):
    """By any name of this machine, with the placeholder for a key, or one of fairlead's."""
    assert judge(examine, ANTHROPIC_BASE_URL=url, ANTHROPIC_AUTH_TOKEN="fairlead") == [
        ("info", f"ANTHROPIC_BASE_URL points to {url} in this shell", None)
    ]
    both = {"OPENAI_BASE_URL": f"{url.rstrip('/')}/v1", "OPENAI_API_KEY": "fairlead"}
    assert [status for status, _, _ in judge(examine, **both)] == ["info"]


def test_no_variables(examine):
    """Nothing is said."""
    assert judge(examine) == []


@pytest.mark.parametrize(
    ("environ", "status", "text", "fix"),
    [
        (
            {"ANTHROPIC_BASE_URL": f"{HERE}/v1", "ANTHROPIC_AUTH_TOKEN": "fairlead"},
            "warn",
            f"ANTHROPIC_BASE_URL is {HERE}/v1; its tools need {HERE}",
            f"export ANTHROPIC_BASE_URL={HERE}",
        ),
        (
            {"OPENAI_BASE_URL": HERE, "OPENAI_API_KEY": "fairlead"},
            "warn",
            f"OPENAI_BASE_URL is {HERE}; its tools need {HERE}/v1",
            f"export OPENAI_BASE_URL={HERE}/v1",
        ),
        (
            {"OPENAI_BASE_URL": f"{HERE}/v1/v1", "OPENAI_API_KEY": "fairlead"},
            "warn",
            f"OPENAI_BASE_URL is {HERE}/v1/v1; its tools need {HERE}/v1",
            f"export OPENAI_BASE_URL={HERE}/v1",
        ),
        (
            {"OPENAI_BASE_URL": f"{HERE}/v1"},
            "warn",
            "OPENAI_BASE_URL is set and OPENAI_API_KEY is not: some tools ask for a login then",
            "export OPENAI_API_KEY=fairlead",
        ),
        (
            {"ANTHROPIC_BASE_URL": HERE, "ANTHROPIC_API_KEY": "sk-ant-api03-0123456789abcdef"},
            "warn",
            "ANTHROPIC_API_KEY holds a key of the vendor's, which tools send here instead of there",
            ANEW,
        ),
        (
            {"OPENAI_BASE_URL": "http://localhost:9999/v1"},
            "warn",
            f"OPENAI_BASE_URL points to http://localhost:9999/v1 in this shell, not to {HERE}; is it of an earlier",
            ANEW,
        ),
        (
            {"OPENAI_BASE_URL": "https://gateway.example/v1"},
            "info",
            f"OPENAI_BASE_URL points to https://gateway.example/v1 in this shell, not to {HERE}",
            None,
        ),
        (
            {"ANTHROPIC_BASE_URL": "http://[", "ANTHROPIC_AUTH_TOKEN": "x"},
            "info",
            "ANTHROPIC_BASE_URL points to http://[",
            None,
        ),
    ],
)
def test_variables_that_mislead(examine, environ, status, text, fix):
    """Each with the line that mends it."""
    (found,) = judge(examine, **environ)
    assert (found[0], found[2]) == (status, fix)
    assert found[1].startswith(text)


def test_what_is_told_mends_it(examine):
    """With the line that was told there is nothing to warn of any more."""
    environ = {"OPENAI_BASE_URL": HERE, "OPENAI_API_KEY": "fairlead"}
    ((_, _, fix),) = judge(examine, **environ)
    name, _, value = fix.removeprefix("export ").partition("=")
    assert [status for status, _, _ in judge(examine, **{**environ, name: value})] == ["info"]


def test_two_credentials(examine):
    """Both are for Anthropic's tools."""
    rows = judge(examine, ANTHROPIC_BASE_URL=HERE, ANTHROPIC_AUTH_TOKEN="fairlead", ANTHROPIC_API_KEY="fairlead")
    assert [status for status, _, _ in rows] == ["info", "warn"]
    assert rows[1][2] == "Keep one: unset ANTHROPIC_API_KEY"


def test_a_login_that_is_passed_on(fairlead, examine):
    """No key is missing then: the tool sends its own."""
    fairlead("backend", "add", "anthropic", "--auth", "client", "--base-url", "http://127.0.0.1:1")
    assert [status for status, _, _ in judge(examine, ANTHROPIC_BASE_URL=HERE)] == ["info"]


def test_the_port_of_the_running_proxy_counts(fairlead, examine):
    """Not that of the settings, once another was given."""
    process = fairlead.start("proxy", "--port", "0")
    url = next(word for line in process.lines for word in line.split() if word.startswith("http://localhost:"))
    assert [status for status, _, _ in judge(examine, OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="fairlead")] == [
        "info"
    ]
    assert [status for status, _, _ in judge(examine, OPENAI_BASE_URL=f"{HERE}/v1")] == ["warn"]


ALL = "localhost,127.0.0.1,::1"


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, []),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ALL}, [("info", None)]),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, [("info", None)]),
        ({"HTTPS_PROXY": "http://p:1"}, [("warn", f"export NO_PROXY={ALL} no_proxy={ALL}")]),
        ({"all_proxy": "socks5://p:1", "no_proxy": "x.example"}, [("warn", f"export no_proxy=x.example,{ALL}")]),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "localhost"}, [("warn", "export NO_PROXY=localhost,127.0.0.1,::1")]),
        (
            {"HTTP_PROXY": "http://p:1", "http_proxy": "http://q:1", "NO_PROXY": ALL},
            [("warn", 'export http_proxy="$HTTP_PROXY"'), ("info", None)],
        ),
        ({"NODE_EXTRA_CA_CERTS": "/none.pem"}, [("warn", "unset NODE_EXTRA_CA_CERTS")]),
    ],
)
def test_proxies_of_the_shell(examine, environ, found):
    """This machine must not be reached through one."""
    rows = examine("env.proxy", **environ).find("env.proxy")
    assert [(row["status"], row["fix"]) for row in rows] == found


def test_a_file_of_certificates(examine, tmp_path):
    """One that is there is fine."""
    path = tmp_path / "ca.pem"
    path.write_text("")
    assert examine("env.proxy", NODE_EXTRA_CA_CERTS=str(path)).rows == []
