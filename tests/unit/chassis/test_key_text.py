"""The text of API keys: unguessable, and proof against typos."""

import re
import string

import pytest

from chassis import key_text
from tests.support.repository import ROOT

PREFIXES = ["sk_", "pk_", "sk_live_", "sk_test_", "pk_live_", "pk_test_"]
ALPHABET = string.digits + string.ascii_letters


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_new_key_is_whole_and_found_by_scanners(prefix: str) -> None:
    key = key_text.new(prefix)
    assert key_text.is_whole(key)
    assert re.findall(key_text.PATTERN, f'token="{key}";') == [key]


def test_the_published_expression_is_the_one_that_is_tested() -> None:
    assert f"\n{key_text.PATTERN}\n" in (ROOT / "docs" / "identity.md").read_text()


def test_an_invitations_token_is_whole_found_by_scanners_and_no_key() -> None:
    token = key_text.new(key_text.INVITATION)
    assert key_text.is_whole_invitation(token)
    assert re.findall(key_text.PATTERN, f"?token={token}&x=1") == [token]
    assert not key_text.is_whole(token)
    assert not key_text.is_whole_invitation(key_text.new("sk_"))
    assert not key_text.is_whole_invitation(token[:-1] + ("0" if token[-1] != "0" else "1"))


@pytest.mark.parametrize(
    "text",
    [
        "sk_" + "a" * 37,
        "sk_" + "a" * 39,
        "xsk_" + "a" * 38,
        "sk-" + "a" * 38,
        "rk_" + "a" * 38,
        "sk_beta_" + "a" * 38,
        "sk_" + "a" * 37 + "-",
        "invite_" + "a" * 37,
        "SK_" + "a" * 38,
    ],
)
def test_scanners_do_not_stop_at_what_has_not_the_form_of_a_key(text: str) -> None:
    assert re.findall(key_text.PATTERN, f" {text} ") == []


def test_the_form_alone_is_not_enough() -> None:
    text = "sk_" + "a" * 38
    assert re.findall(key_text.PATTERN, text) == [text]
    assert not key_text.is_whole(text)


def test_keys_have_at_least_160_random_bits_and_never_repeat() -> None:
    assert 32 * 5.95 > 160
    keys = {key_text.new("sk_") for _ in range(1000)}
    assert len(keys) == 1000
    assert len({key[3:9] for key in keys}) > 990


def test_no_single_typo_passes() -> None:
    key = key_text.new("sk_")
    for at in range(3, len(key)):
        for wrong in ALPHABET:
            if wrong != key[at]:
                assert not key_text.is_whole(key[:at] + wrong + key[at + 1 :])


def test_two_characters_that_changed_places_do_not_pass() -> None:
    key = key_text.new("sk_")
    for at in range(3, len(key) - 1):
        if key[at] != key[at + 1]:
            swapped = key[:at] + key[at + 1] + key[at] + key[at + 2 :]
            assert not key_text.is_whole(swapped)


def test_a_key_of_another_kind_or_length_does_not_pass() -> None:
    key = key_text.new("sk_")
    broken = ["pk_" + key[3:], key[:-1], key + "0", key + "\n", " " + key, key.upper(), "", "sk_"]
    assert not any(map(key_text.is_whole, broken))


def test_what_is_shown_and_stored_does_not_give_the_key_away() -> None:
    key = key_text.new("sk_live_")
    assert key.startswith(key_text.shown(key))
    assert len(key_text.shown(key)) == len("sk_live_") + 6
    assert key_text.hash_of(key) not in key
    assert re.fullmatch(r"[0-9a-f]{64}", key_text.hash_of(key))
