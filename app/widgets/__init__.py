"""Building blocks of pages that belong to no single topic."""
