"""The command `fairlead setup`."""
