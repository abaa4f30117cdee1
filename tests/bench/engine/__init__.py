"""Tests of the load engine, on real sockets."""
