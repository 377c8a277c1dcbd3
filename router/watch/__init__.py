"""What a person who watches looks at: the requests that end, one after the other, and which of them are wanted."""
