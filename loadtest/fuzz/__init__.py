"""Fuzzing: valid messages bent out of shape by the million, the same for the same seed.

- `handle_mutations`  Handle messages with flipped bits, cut ends, foreign parts and lying counts
"""
