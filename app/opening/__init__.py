"""Bringing data, models and kept reviews in, from forms, files and the address."""
