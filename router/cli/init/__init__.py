"""The command `fairlead init`."""
