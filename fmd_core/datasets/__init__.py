"""One reader per family of data sets; each gives an `AttributeDataset`."""
