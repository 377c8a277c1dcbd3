"""What the codecs of all protocols share about the neutral form."""
