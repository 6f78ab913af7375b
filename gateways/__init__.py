"""The public surface: stateless, the only routed components. One call down, then the answer."""
