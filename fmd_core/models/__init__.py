"""Models: what turns inputs into features, the head on top, and how both are opened, read and kept."""
