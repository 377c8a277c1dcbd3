"""Pure decisions on accounts: which one is asked, when it rests, what is sent again."""
