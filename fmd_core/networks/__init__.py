"""The networks themselves: building, training, opening, keeping, explaining them."""
