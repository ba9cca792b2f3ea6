"""Heads, the layers that unlearning moves: what one is, the two there are, and how they are fitted."""
