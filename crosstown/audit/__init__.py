"""Who saw what: a log of every delivery that nobody can change unnoticed."""
