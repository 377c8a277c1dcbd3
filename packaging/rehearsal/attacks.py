"""Plays of attacks on a release and of a machine that fails: each is refused with a clear error, by `fairlead upgrade`
and by install.sh, and the old version still runs."""

from rehearsal.plays import Play

PLAYS: tuple[Play, ...] = ()
SHORT: tuple[Play, ...] = ()
