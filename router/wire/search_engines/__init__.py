"""The search engines that a user may name: how each is asked, and how its answer is read."""
