"""Names that fairlead knows. Written by `python packaging/words.py`."""

# fmt: off
PROVIDERS = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "openrouter": "OpenRouter",
    "groq": "Groq",
    "ollama": "Ollama",
    "deepseek": "DeepSeek",
    "mistral": "Mistral",
    "xai": "xAI",
    "gemini": "Google Gemini",
    "together": "Together AI",
    "fireworks": "Fireworks AI",
    "cerebras": "Cerebras",
    "perplexity": "Perplexity",
    "zai": "Z.ai",
    "moonshot": "Moonshot AI",
    "alibaba": "Alibaba Model Studio",
    "lmstudio": "LM Studio",
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "litellm": "LiteLLM proxy",
}
TOOLS = {
    "claude": "Claude Code",
    "codex": "Codex",
    "aider": "aider",
    "opencode": "opencode",
    "qwen": "Qwen Code",
    "copilot": "Copilot CLI",
    "llm": "llm",
    "goose": "goose",
    "sdk": "the Anthropic and OpenAI SDKs",
    "cline": "Cline",
    "cn": "Continue",
    "pi": "pi",
    "gemini": "Gemini CLI",
    "crush": "crush",
    "zed": "Zed",
    "code": "VS Code Copilot Chat",
    "cursor": "Cursor",
}
#: Provider -> models of it that are known without asking.
PROVIDER_MODELS: dict[str, tuple[str, ...]] = {
    "openai": ("gpt-5-mini", "gpt-5", "gpt-5.5", "gpt-4o"),
    "anthropic": ("claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-8", "claude-opus-5"),
}
DEMO_MODELS = (
    "demo",
    "demo-tools",
    "demo-slow",
    "demo-429",
    "demo-500",
    "demo-529",
    "demo-cut",
    "demo-hang",
)
