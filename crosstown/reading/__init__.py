"""Topics read as rows: for programs, notebooks and tables."""
