"""What a reviewer looks at and has decided, as plain values. Knows nothing of the screen."""
