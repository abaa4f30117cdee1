"""The only place that prints: outcomes in, characters out, remote text made harmless on the way."""
