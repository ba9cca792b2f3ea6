"""From a review to its report, and back."""
