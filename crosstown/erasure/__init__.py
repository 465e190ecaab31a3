"""Records that are to be forgotten, and every place where something of them lies."""
