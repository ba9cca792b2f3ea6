"""Looking at single samples and pairs, and what the reviewer says of them."""
