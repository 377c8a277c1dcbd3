"""The formats by the names that records use."""

from router.setup.formats.document import Format
from router.setup.formats.dotenv_edit import DOTENV
from router.setup.formats.json_edit import JSON, JSONC
from router.setup.formats.text_edit import LINE, SCRIPT, WHOLE
from router.setup.formats.toml_edit import TOML
from router.setup.formats.yaml_edit import YAML

FORMATS: dict[str, Format] = {
    "json": JSON,
    "jsonc": JSONC,
    "toml": TOML,
    "yaml": YAML,
    "script": SCRIPT,
    "line": LINE,
    "dotenv": DOTENV,
    "whole": WHOLE,
}
