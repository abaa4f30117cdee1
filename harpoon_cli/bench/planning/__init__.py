"""What a run sends and when: plans, loads and their text; nothing here sends anything."""
