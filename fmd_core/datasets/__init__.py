"""Data sets: families of them by reference, public ones, demos, and a user's own."""
