"""Public data sets, read from the folder FMD_DATA_DIR."""
