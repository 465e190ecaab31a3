"""Texts searched for what tells on people, before they are kept and before they leave."""
