"""The handlers: the service and its object."""
