"""Demos that ship with us: real handwriting in ten inks, and drawn faces."""
