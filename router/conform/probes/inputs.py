"""What a model takes beside text: images, PDFs, audio."""

from router.conform.bench import Bench
from router.conform.client import Reply
from router.conform.forms.parts import (
    encode_image,
    encode_pdf,
    encode_text,
    encode_user,
    make_conversation,
)
from router.conform.forms.small_inputs import make_pdf, make_png, make_wav
from router.conform.probe import Group, Probe
from router.conform.probes.asking import ANY, is_answer, read_whole_text
from router.conform.record import Finding
from router.wire.raw.json.json_values import Json

# No host has this name (RFC 2606): the backend shows that it would load an image, and nobody is asked for one.
_NOWHERE = "https://image.invalid/red.png"
_LOADING = ("download", "fetch", "load", "retriev", "resolve", "unreachable", "timed out", "timeout", "connect")


async def _ask_about(bench: Bench, name: str, question: str, part: Json) -> Reply:
    turns = [encode_user(name, [part, encode_text(name, question)])]
    return await bench.ask(name, make_conversation(bench, name, turns))


def _judge(reply: Reply, name: str, word: str) -> Finding:
    if not is_answer(reply, name):
        return Finding("no")
    text = read_whole_text(reply, name)
    seen = word in text.lower()
    return Finding("yes" if seen else "partly", f"{'seen' if seen else 'taken, and not seen'}: {text[:80]}")


async def _check_image(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    part = encode_image(name, make_png((255, 0, 0)))
    return _judge(await _ask_about(bench, name, "What colour is this image? Answer with one word.", part), name, "red")


async def _check_address(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    part = encode_image(name, _NOWHERE, url=True)
    reply = await _ask_about(bench, name, "What colour is this image? Answer with one word.", part)
    flags = name == "chat"
    if is_answer(reply, name):
        return Finding("yes", "an address is taken", {"remote_images": True} if flags else {})
    said = reply.describe()
    if any(word in said.lower() for word in _LOADING):
        return Finding("yes", f"it tried to load it: {said}", {"remote_images": True} if flags else {})
    return Finding("no", flags={"remote_images": False} if flags and reply.refused else {})


async def _check_pdf(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    part = encode_pdf(name, make_pdf("The code word is lychee."))
    found = _judge(await _ask_about(bench, name, "Which code word does this document have?", part), name, "lychee")
    if name != "chat" or found.verdict == "partly":
        return found
    return found._replace(flags={"files": found.verdict == "yes"})


async def _check_audio(bench: Bench) -> Finding:
    name = bench.choose("chat")
    part: Json = {"type": "input_audio", "input_audio": {"data": make_wav(), "format": "wav"}}
    turns = [encode_user(name, [part, encode_text(name, "Is there speech in this? Answer yes or no.")])]
    reply = await bench.ask(name, make_conversation(bench, name, turns))
    if not is_answer(reply, name):
        return Finding("no")
    return Finding("yes", f"taken: {read_whole_text(reply, name)[:80]}")


GROUP = Group(
    "input",
    (
        Probe("input.image", "an image in the request is seen", _check_image),
        Probe("input.image_url", "an image may be named by its address", _check_address),
        Probe("input.pdf", "a PDF in the request is read", _check_pdf),
        Probe("input.audio", "audio is taken", _check_audio),
    ),
)
