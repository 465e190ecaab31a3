"""Pausing a publisher: intake takes nothing from an agency until somebody resumes it."""
