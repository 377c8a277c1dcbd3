"""What the configuration of each tool may look like before: by case, the text of its main file."""

# ruff: noqa: E501 - a file is one literal

import json

# Tool -> a populated file, with a comment where its tool reads any.
POPULATED = {
    "claude-code": '{\n  "model": "opus",\n  "env": {\n    "FOO": "1"\n  },\n  "permissions": {"allow": ["Bash(ls:*)"]}\n}\n',
    "codex": '# mine\nmodel = "gpt-5" # the best\n\n[mcp_servers.x]\ncommand = "y"\n\n[model_providers.other]\nname = "o"\n',
    "opencode": '{\n  // mine\n  "$schema": "https://opencode.ai/config.json",\n  "model": "anthropic/claude",\n'
    '  "provider": {\n    "anthropic": {"options": {}}, // keep\n  },\n}\n',
    "qwen": '{\n  "ui": {"theme": "x"}, // mine\n  "modelProviders": {\n    "openai": [\n      {"id": "q", "envKey": "K"}\n    ]\n  }\n}\n',
    "continue": "name: mine\nversion: 1.0.0\nschema: v1\nmodels:\n  - name: a # first\n    provider: ollama\n    model: m\n"
    "  # the end\ncontext:\n  - provider: file\n",
    "aider": "# mine\nmodel: sonnet\ndark-mode: true # always\n",
    "pi": '{\n  // mine\n  "providers": {\n    "local": {"baseUrl": "http://localhost:1234/v1", "api": "openai-completions"}\n  }\n}\n',
    "llm": "- model_id: a\n  model_name: a-1 # one\n  api_base: http://localhost:8000\n",
    "cline": '{\n  "version": 1,\n  "lastUsedProvider": "cline",\n  "providers": {\n    "cline": {\n      "settings": {"provider": "cline"}\n    }\n  }\n}\n',
    "zed": '// Zed settings\n{\n  "theme": "One Dark",\n  "agent": {\n    "default_model": {"provider": "zed.dev", "model": "claude"},\n  },\n}\n',
    "vscode": '[\n\t{\n\t\t"name": "mine",\n\t\t"vendor": "ollama"\n\t}\n]\n',
    "gemini": "# mine\nexport FOO=1 # one\nGEMINI_API_KEY='AIza-mine'   # the key\nOTHER=\"two\nlines\"\n",
    "goose": "GOOSE_PROVIDER: openai\nGOOSE_MODEL: gpt-5 # mine\nextensions:\n  developer:\n    enabled: true\n",
    "crush": "# mine\nexport A=1\nmodel large anthropic/claude\n",
}
WITHOUT_MEMBERS = {"json": "{}", "jsonc": "{\n}\n"}
COMMENT = {
    "jsonc": "// only this\n{}\n",
    "toml": "# only this\n",
    "yaml": "# only this\n",
    "script": "# only this",
    "dotenv": "# only this\n",
}


def list_cases(tool, form):
    """Name of the case -> the bytes of the main file, None for none."""
    text = POPULATED[tool]
    cases = {
        "missing": None,
        "empty": b"",
        "populated": text,
        "crlf": text.replace("\n", "\r\n"),
        "bom": "\ufeff" + text,
    }
    if form in WITHOUT_MEMBERS:
        cases["no members"] = "[]" if text.startswith("[") else WITHOUT_MEMBERS[form]
        cases["tabs"] = text.replace("  ", "\t")
        cases["no final newline"] = text.rstrip("\n")
    if form == "json":
        cases["one line"] = json.dumps(json.loads(text), separators=(",", ":"))
    if form in COMMENT and not text.startswith("["):
        cases["comment"] = COMMENT[form]
    return {name: one.encode() if isinstance(one, str) else one for name, one in cases.items()}
