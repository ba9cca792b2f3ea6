"""The report: gathered evidence, its sections, the page and the file, and reading one again."""
