"""Whether a process lives, has begun and can do its work, and why not: `/livez /readyz /startupz`."""
