"""This machine's own: its clock."""
