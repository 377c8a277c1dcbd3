"""What Google's Python SDK gets from an address, in the form of its file for JavaScript beside this one; for versions
that cannot be installed beside the newest. Arguments: as there."""

import json
import sys

from google import genai

url, plain, tools, limited, cut = sys.argv[1:]
client = genai.Client(api_key="fairlead", http_options={"base_url": url})
TEXT = "one two three"


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


def join(stream):
    """The text of a stream."""
    return "".join(chunk.text or "" for chunk in stream)


def talk():
    """The last text of a conversation with a tool."""
    chat = client.chats.create(model=tools, config={"tools": [get_weather]})
    return [chat.send_message(text).text for text in ("Weather?", "And now?")][-1]


STEPS = {
    "whole": lambda: client.models.generate_content(model=plain, contents=TEXT).text,
    "stream": lambda: join(client.models.generate_content_stream(model=plain, contents=TEXT)),
    "calling": lambda: client.models.generate_content(model=tools, contents=TEXT, config={"tools": [get_weather]}).text,
    "chat": talk,
    "count": lambda: client.models.count_tokens(model=plain, contents=TEXT).total_tokens > 0,
    "list": lambda: bool(list(client.models.list())),
    "limited": lambda: client.models.generate_content(model=limited, contents=TEXT).text,
    "cut stream": lambda: join(
        client.models.generate_content_stream(model=cut, contents="one two three four five six")
    ),
}
for name, step in STEPS.items():
    try:
        found = {"got": step()}
    except Exception as error:
        found = {"raised": type(error).__name__, "status": getattr(error, "code", 0)}
    print(json.dumps({"step": name, **found}), flush=True)
