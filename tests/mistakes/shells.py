"""A POSIX shell that evaluates what `fairlead env` prints, as a user's does."""

import json
import shlex
import subprocess
import sys

from ..patience import PATIENCE

_DUMP = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
MESSAGES = """
import anthropic
print(anthropic.Anthropic(max_retries=0).messages.create(
    model="{}", max_tokens=9, messages=[{{"role": "user", "content": "hi"}}]).content[0].text)
"""
CHAT = """
import openai
print(openai.OpenAI(max_retries=0).chat.completions.create(
    model="{}", messages=[{{"role": "user", "content": "hi"}}]).choices[0].message.content)
"""


def evaluate(fairlead, *arguments, then=_DUMP, **environ):
    """The environment of a shell that has evaluated `fairlead env`, and what that said on stderr."""
    code, lines, said = fairlead("env", *arguments, **environ)
    assert code == 0, said
    done = subprocess.run(
        ["sh", "-c", f'eval "$1"\n{shlex.join(then)}', "sh", lines],
        check=True,
        capture_output=True,
        text=True,
        env={**fairlead.environ, **environ},
        cwd=fairlead.folder,
        timeout=PATIENCE,
    )
    return json.loads(done.stdout) if then is _DUMP else done.stdout, said + done.stderr


def run_sdk(program, model, environ):
    """What a script with a vendor's SDK prints in an environment, its errors too."""
    done = subprocess.run(
        [sys.executable, "-c", program.format(model)],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
        timeout=PATIENCE,
    )
    return done.stdout + done.stderr
