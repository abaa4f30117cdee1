"""What a run asks: prompts, their lengths and the files they come from; nothing here sends anything."""
