"""Gemini CLI: its URL and key in the `.env` of its folder, and in settings.json that it is to use a key."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.tool import FileChange, Place, Target, Tool, dig_text

#: The path in its settings that chooses the login, and the value for a key. With a base URL and without this it
#: chooses one that it refuses without a terminal.
LOGIN = ("security", "auth", "selectedType")
BY_KEY = "gemini-api-key"
_URL, _KEY = "GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY"
#: Files of its folder that hold a login, which a key takes the place of.
LOGIN_FILES = frozenset(("oauth_creds.json", "google_accounts.json", "gemini-credentials.json"))
#: What it asks for by itself: the choice of a model and other side requests, its default model, and its web search.
OWN_MODELS = ("gemini-3.5-flash-lite", "gemini-3.8-flash", "gemini-3-flash-preview")
_FAMILY = "gemini-"


def find_folder(place: Place) -> Path:
    """Its folder with all files of the user's; the variable names what is in the place of the user's own folder."""
    return place.find("GEMINI_CLI_HOME") / ".gemini"


def find_settings(place: Place) -> tuple[Path, str]:
    """The user's settings, which it reads with comments and keeps them."""
    return find_folder(place) / "settings.json", "jsonc"


def find_main(place: Place) -> tuple[Path, str]:
    """The variables that it begins with."""
    return find_folder(place) / ".env", "dotenv"


def read_base(value: Any) -> str:
    """The URL among the variables."""
    return dig_text(value, _URL)


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The variables, that a key is used, and the model: also where none is asked for, unless one of Google's names is
    listed, since its own choice is among these."""
    variables = [Change((_URL,), target.url)]
    if target.protocol not in target.login:
        variables.append(Change((_KEY,), target.any_key))
    elif target.key:
        variables.append(Change(("GEMINI_CLI_CUSTOM_HEADERS",), f"x-fairlead-key: {target.key}"))
    if target.no_proxy:
        variables.append(Change(("NO_PROXY",), target.no_proxy))
    settings = [Change(LOGIN, BY_KEY)]
    if target.chosen or not any(model.name.startswith(_FAMILY) for model in target.models):
        settings.append(Change(("model", "name"), target.model.name))
    return [
        FileChange(*find_main(place), tuple(variables)),
        FileChange(*find_settings(place), tuple(settings)),
    ]


TOOL = Tool(
    "gemini",
    "Gemini CLI",
    "0.61.0, tried",
    other_names=("gemini-cli",),
    program="gemini",
    protocols=("gemini",),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    sets_no_proxy=True,
    project_files=(".gemini/.env", ".env"),
    reads_one_file=True,
    stronger_variables=(_URL, _KEY),
    # The check runs in a folder of its own, which nobody has told it to trust.
    check=("-p", "{prompt}", "-m", "{model}", "--skip-trust"),
    clients=("gemini-cli",),
    notes=(
        "It reads this file in folders that you trust, and where no other .env is nearer.",
        f"By itself it also asks for {', '.join(OWN_MODELS)}. Without a Gemini backend give these names to a model:   "
        f"fairlead config set aliases.{OWN_MODELS[0]} MODEL",
    ),
)
