"""Who gets what, and the sending of it; the story is told by `pipeline.run`."""
