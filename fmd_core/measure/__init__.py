"""What is measured of a classifier, and what may be said of it."""
