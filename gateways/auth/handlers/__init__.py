"""The handlers: keys, and the organization with its members."""
