"""`crosstown bundle`: what somebody needs who is to help, in one file, without secrets or data."""
