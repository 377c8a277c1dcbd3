"""Commands for what was captured: a repro without content, and running requests again."""
