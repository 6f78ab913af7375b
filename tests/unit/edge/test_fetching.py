"""How long an issuer's document stays true is read from its headers, whatever stands there."""

import pytest

from edge.credentials.fetching import max_age_of


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Cache-Control": ""}, None),
        ({"Cache-Control": "public"}, None),
        ({"Cache-Control": "max-age=600"}, 600),
        ({"Cache-Control": "public, max-age=21600, must-revalidate, no-transform"}, 21600),
        ({"Cache-Control": 'Public,MAX-AGE="60"'}, 60),
        ({"Cache-Control": "s-maxage=9, max-age=60"}, 60),
        ({"Cache-Control": "x-max-age=9"}, None),
        ({"Cache-Control": "max-age=600", "Age": "200"}, 400),
        ({"Cache-Control": "max-age=600", "Age": "900"}, 0),
        ({"Cache-Control": "max-age=600", "Age": "soon"}, 600),
        ({"Cache-Control": "max-age=600", "Age": "²"}, 600),
        ({"Cache-Control": "max-age=-5"}, None),
        ({"Cache-Control": "max-age=soon"}, None),
        ({"Cache-Control": "max-age=" + "9" * 5000}, None),
        ({"Cache-Control": "no-store"}, 0),
        ({"Cache-Control": "max-age=600, no-cache"}, 0),
    ],
)
def test_a_max_age(headers: dict[str, str], seconds: float | None) -> None:
    assert max_age_of(headers) == seconds
