"""A home in one file, and what people said since."""
