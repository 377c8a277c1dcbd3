"""`fairlead conform`."""
