"""Tests of whole command lines."""
