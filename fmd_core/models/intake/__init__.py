"""Weights of others, opened in a process of their own."""
