"""How much a model of another vendor than Anthropic may write in one answer, by its name.

Messages requires a limit, and callers of the other protocols often set none. A limit far below the model's own cuts
long answers off; one above it is refused by most servers, as is one that leaves the prompt no room in the context. The
values are the documented maxima of the vendors, or a quarter to a half of the context where answers may fill all of it.
"""

import re

_NAMES = (
    (r"glm-4\.\d+v", 16_384),
    (r"glm-4\.5", 98_304),
    (r"glm-(4\.[6-9]|[5-9]|\d\d)", 128_000),
    (r"glm-(\w+-)?latest", 128_000),
    (r"glm-4", 16_384),
    (r"kimi-k2\.[5-9]", 131_072),
    (r"kimi-(k[3-9]|latest)", 262_144),
    (r"kimi-", 32_768),
    (r"deepseek-(v[4-9]|flash|pro)", 384_000),
    (r"deepseek-(reasoner|v3\.[1-9])", 65_536),
    (r"deepseek-", 8192),
    (r"minimax-m[3-9]", 128_000),
    (r"minimax-m2", 65_536),
    (r"minimax-m1", 40_000),
    (r"qwen3\.[89]", 131_072),
    (r"qwen3(\.[5-7]|-coder|-max|-next)", 65_536),
    (r"qwen(3-vl|3-plus|-plus|-flash)", 32_768),
    (r"qwen3", 16_384),
    (r"gpt-oss", 32_768),
    (r"gpt-([5-9]|\d\d)", 128_000),
    (r"gpt-4\.1", 32_768),
    (r"gpt-4o", 16_384),
    (r"gemini-(2\.5|[3-9])", 65_536),
)
_LIMITS = tuple((re.compile(rf"(?:^|/)~?{name}", re.IGNORECASE), limit) for name, limit in _NAMES)


def find_output_limit(model: str) -> int:
    """The most tokens to ask for, 0 for a model that is not known. model: its name, which may have the vendor's path in
    front, or a version or variant behind it."""
    return next((limit for pattern, limit in _LIMITS if pattern.search(model)), 0)
