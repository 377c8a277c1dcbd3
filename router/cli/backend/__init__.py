"""The commands of `fairlead backend`."""
