"""`harpoon bench`: from its options to a run, and from the run to what is printed and written."""
