"""`fairlead doctor`: checks of the program, the home, the proxy, this shell, the tools and the backends."""
