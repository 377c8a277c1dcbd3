"""The messages for a request that is too long for a limit that fairlead knows, before it is sent.

They are those of each API's own error, with its numbers in their places: clients shorten the conversation when they
read them (Claude Code, Zed and others the first, by its beginning; clients of OpenAI's APIs the second).
"""


def say_to_anthropic(tokens: int, limit: int) -> str:
    """The message for a caller of Anthropic's API."""
    return f"prompt is too long: {tokens} tokens > {limit} maximum"


def say_to_openai(tokens: int, limit: int) -> str:
    """The message for a caller of OpenAI's APIs."""
    return (
        f"This model's maximum context length is {limit} tokens. However, your messages resulted in {tokens} tokens. "
        "Please reduce the length of the messages."
    )
