"""The handlers: the service and its two objects."""
