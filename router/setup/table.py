"""All tools, by name, in the order in which they are listed."""

from router.setup import explained
from router.setup.tool import Tool
from router.setup.tools import (
    aider,
    claude_code,
    cline,
    codex,
    continue_dev,
    crush,
    gemini_cli,
    goose,
    llm,
    opencode,
    pi,
    qwen,
    vscode,
    zed,
)

TOOLS: tuple[Tool, ...] = (
    claude_code.TOOL,
    codex.TOOL,
    opencode.TOOL,
    gemini_cli.TOOL,
    qwen.TOOL,
    continue_dev.TOOL,
    aider.TOOL,
    pi.TOOL,
    llm.TOOL,
    cline.TOOL,
    zed.TOOL,
    vscode.TOOL,
    goose.TOOL,
    crush.TOOL,
    *explained.TOOLS,
)
BY_NAME = {name: tool for tool in TOOLS for name in (tool.name, *tool.other_names)}
