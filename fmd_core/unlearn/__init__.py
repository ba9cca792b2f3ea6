"""Unlearning: what a strategy is (method) and one strategy at one strength (one_strength)."""
