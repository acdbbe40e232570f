"""The composition root and the command line: may import everything."""
