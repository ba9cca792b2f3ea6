"""Samples that differ in one attribute only."""
