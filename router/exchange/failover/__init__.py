"""Which account is asked, and which one next."""
