"""Solving for a head: the convex fit, its two-layer form, and curvature of more than two classes."""
