"""A shop with a story, made from a seed: what the demo shows and small tests use."""
