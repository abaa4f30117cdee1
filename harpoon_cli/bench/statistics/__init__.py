"""Counting and testing, without any library: histograms, bounds, tests. Pure; knows nothing of requests."""
