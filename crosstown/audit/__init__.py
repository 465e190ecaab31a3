"""Who saw what: the access log, its chains and signatures, and what can be asked of it."""
