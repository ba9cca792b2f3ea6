"""A user's own files: told apart, asked about, unpacked, opened."""
