"""Tests of talking to platforms: the transport, what it reads, when it asks again."""
