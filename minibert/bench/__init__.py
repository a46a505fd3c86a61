"""Measurements: ours and the opponent in turn, in one process, as numbers that carry their hardware."""
