"""The load test: a plan fired by its own clock, what came back, and what that proves."""
