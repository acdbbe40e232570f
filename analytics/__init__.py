"""Pure analysis: frames in, frames or frozen results out.

No input or output, no clock and no chance of its own: the present moment and the
seed of everything random are passed in.
"""
