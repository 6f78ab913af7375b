"""From a config's wishes about reasoning and providers to OpenRouter's words for them."""

from typing import Any

from actors.conversation.contract.thread import (
    DataCollection,
    ProviderRouting,
    ProviderSort,
    ReasoningEffort,
)


def effort_of(wished: ReasoningEffort) -> str | None:
    """OpenRouter's `reasoning.effort`; None where nothing was wished."""
    named = wished is not ReasoningEffort.REASONING_EFFORT_UNSPECIFIED
    return wished.name.lower() if named else None


def provider_of(wished: ProviderRouting | None) -> dict[str, Any] | None:
    """OpenRouter's `provider` object; None where nothing was wished."""
    if wished is None:
        return None
    values: dict[str, Any] = {
        "order": wished.order,
        "only": wished.only,
        "ignore": wished.ignore,
        "allow_fallbacks": wished.allow_fallbacks,
        "require_parameters": wished.require_parameters,
    }
    if wished.data_collection is not DataCollection.DATA_COLLECTION_UNSPECIFIED:
        values["data_collection"] = wished.data_collection.name.lower()
    if wished.sort is not ProviderSort.PROVIDER_SORT_UNSPECIFIED:
        values["sort"] = wished.sort.name.lower()
    return {name: value for name, value in values.items() if value not in (None, [])} or None
