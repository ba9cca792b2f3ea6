"""Feature unlearning: making a model forget an attribute or a pattern, and what can still be read of it."""
