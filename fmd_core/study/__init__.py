"""The procedure of one review: which part of the data decides, guards and judges, and what depends on what."""
