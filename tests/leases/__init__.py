"""Tests of the life of leases."""
