"""The handlers: the service and its three objects."""
