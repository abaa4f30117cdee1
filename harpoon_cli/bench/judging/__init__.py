"""What was recorded says: figures, thresholds, verdicts and the report of a run; pure."""
