"""`fairlead completions`: what a shell's TAB shows."""
