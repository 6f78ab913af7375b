"""What AuthGateway offers: `/api/v1/api-keys/` (api_keys.py) and `/api/v1/orgs/` (orgs.py)."""

from gateways.auth.contract import api_keys, orgs
from gateways.auth.contract.component import component

__all__ = ["api_keys", "component", "orgs"]
