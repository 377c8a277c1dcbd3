"""The command `fairlead demo`."""
