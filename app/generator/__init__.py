"""Data of any size from a seed: files to import, with a key of what was planted."""
