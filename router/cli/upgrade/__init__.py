"""`fairlead upgrade`: another version of the program."""
