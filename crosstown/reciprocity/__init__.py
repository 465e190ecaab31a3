"""Reciprocity: what each party gives and gets, and whether what it was asked for was answered."""
