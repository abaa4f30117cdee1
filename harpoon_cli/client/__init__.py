"""Talking to platforms: what harpoon wants of one (`service`), and the dialects that give it."""
