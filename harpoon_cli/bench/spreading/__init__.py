"""A run in parts: shards as files, and the workers of a cluster."""
