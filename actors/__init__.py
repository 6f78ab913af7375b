"""Keyed, durable state: one instance for each key, written by one exclusive handler at a time."""
