"""What all lists share: how large a page is, and the one answer to a token that is not ours."""

from errors import Code, Reason

PAGE_TOKEN_INVALID = Reason(
    "page_token.invalid",
    Code.INVALID_ARGUMENT,
    "The page_token is not one that this method returned.",
)
