"""Names: the files a container resolves them with."""
