"""Tests of the settings: real files, real environments, hostile ones among them."""
