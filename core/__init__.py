"""The words that all parts share; imports nothing else of ours."""
