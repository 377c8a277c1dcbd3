"""The commands of `fairlead login`."""
