"""The rehearsal of a release: builds, throw-away keys, a fake release host, and the plays that use them.

`plays` is what a play is and how it is reported, `stage` what it plays on; `versions` makes the two versions,
`host` serves them, `users` runs commands as an ordinary user, `roots` makes root file systems, `streams` keeps answers
open. The other files hold the plays.
"""
