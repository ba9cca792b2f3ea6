"""Where a model looks, and how that is drawn."""
