"""What may flow: agencies and contracts as files, read, checked, compared and mapped to the envelope."""
