"""Leaves: each owns at most one vendor or engine and waits for no other component."""
