"""Solving for a head: the convex fit, its two-layer form, and what preconditions them where parameters are many."""
