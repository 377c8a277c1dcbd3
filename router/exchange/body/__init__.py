"""Request bodies: read whole, or streamed through."""
