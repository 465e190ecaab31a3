"""Cases as SQL: what is kept, and what the command line and the figures ask of it."""
