"""What ties the turns of a conversation together: names of calls, hashes of prefixes, sealed state, kept answers."""
