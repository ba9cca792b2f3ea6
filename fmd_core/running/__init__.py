"""Long work: jobs and their files, and row blocks on a Dask cluster."""
