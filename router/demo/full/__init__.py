"""demo-full: the demo model that has every feature of the four protocols, small and always alike, as a reference.

It answers with the code words in the conversation ("The code word is kumquat.") and what it sees in images, PDFs and
audio, or with the letters that are asked for ("letters from A to H"); else with the last user text. It obeys tool
choices, limits, stop sequences and formats, thinks where it is asked to, caches prompts, keeps responses, checks what
it has signed, and refuses what is wrong. `read_messages`, `read_chat`, `read_responses` and `read_gemini` read requests
to one form, `answer` decides; the encoders are those of the other models.
"""
