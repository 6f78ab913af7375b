"""The development issuer speaks OpenID as real ones do, and breaks when asked to."""

import httpx
import jwt
import pytest

from devstack.issuer import AUDIENCE, Fault, Issuer, serving

pytestmark = pytest.mark.anyio


async def test_a_token_verifies_against_the_keys_that_discovery_names() -> None:
    async with (
        serving(Issuer()) as issuer,
        httpx.AsyncClient(base_url=issuer.url, trust_env=False, verify=False) as http,
    ):
        found = (await http.get("/.well-known/openid-configuration")).json()
        assert found["issuer"] == issuer.url
        keys = jwt.PyJWKSet.from_dict((await http.get(found["jwks_uri"])).json())
        asked = await http.post("/token", json={"sub": "u1", "tenant_id": "acme"})
        token = asked.json()["token"]
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key, ["RS256"], audience=AUDIENCE, issuer=issuer.url)
        assert (claims["sub"], claims["tenant_id"]) == ("u1", "acme")


async def test_rotation_and_faults_are_controlled_over_http() -> None:
    async with (
        serving(Issuer()) as issuer,
        httpx.AsyncClient(base_url=issuer.url, trust_env=False, verify=False) as http,
    ):
        kid = (await http.post("/control/rotate")).json()["kid"]
        keys = (await http.get("/jwks")).json()["keys"]
        assert len(keys) == 2
        assert keys[-1]["kid"] == kid
        await http.post("/control/fault", json={"fault": Fault.DOWN})
        assert (await http.get("/jwks")).status_code == 503
        await http.post("/control/fault", json={"fault": Fault.NONE})
        assert (await http.get("/jwks")).status_code == 200
        assert (await http.get("/control/calls")).json() == {"jwks": 3}
