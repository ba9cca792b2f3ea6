"""Texts as data: term lists, twins by swapped terms or by template, and the readers of text data sets."""
