"""Long work on screen: its panel, and waiting for what a page needs."""
