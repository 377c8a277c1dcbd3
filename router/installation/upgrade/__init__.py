"""`fairlead upgrade`: download another release, verify it, and switch to it."""
