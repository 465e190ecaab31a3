"""What goes out to a receiver that doesn't ask for it: files in a folder, and signed webhooks."""
