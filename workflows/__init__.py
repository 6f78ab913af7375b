"""What runs once for each id and orchestrates actors and services."""
