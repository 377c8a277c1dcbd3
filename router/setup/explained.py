"""Tools without a file that could be written: what to do in the place of it. {url} and {key} stand for the proxy's."""

from router.setup.tool import Tool

TOOLS = (
    Tool(
        "copilot",
        "Copilot CLI",
        "1.0.102, tried",
        program="copilot",
        obstacle="Copilot CLI reads its provider from variables only; there is no file to write.",
        remedy=(
            'In the shell that it starts in:   eval "$(fairlead env --tool copilot)"',
            "and COPILOT_MODEL with the name of a model. It needs no login at GitHub then.",
        ),
        possible=True,
    ),
    Tool(
        "jetbrains",
        "JetBrains AI Assistant",
        "its settings page, not tried",
        obstacle="JetBrains keeps its providers and their keys in the IDE, where no other program can write them.",
        remedy=(
            "In the IDE: Settings, Tools, AI Assistant, Providers & API keys: add OpenAI-compatible,",
            "URL {url}/v1, key {key}, and switch on tool calling.",
        ),
        possible=True,
    ),
    Tool(
        "cursor",
        "Cursor",
        "https://github.com/cursor/cursor/issues/1380",
        program="cursor",
        obstacle="Cursor's requests come from its own servers, which cannot reach a proxy on your machine.",
        remedy=("Use another tool. What can be set up:   fairlead setup",),
    ),
)
