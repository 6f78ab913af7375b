"""The id of a new tenant, which people read and every address can hold."""

import pytest

from services.organization import naming


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Socayo", "socayo-"),
        ("  Müller & Söhne  ", "muller-sohne-"),
        ("会社", "org-"),
        ("---", "org-"),
        ("x" * 200, "x" * 40 + "-"),
    ],
)
def test_a_tenants_id_can_be_read_and_used_anywhere(name: str, slug: str) -> None:
    made = naming.tenant_id(name, 2**naming.SUFFIX_BITS - 1)
    assert made.startswith(slug)
    assert len(made) == len(slug) + 6
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
