"""Which models a development stack talks to, and what that means for its processes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from devstack import local_model
from devstack.processes import ProcessError

KEY_VARIABLE = "OPENROUTER_API_KEY"


class Model(StrEnum):
    """Where answers come from."""

    DOUBLE = "double"
    """The scripted double of OpenRouter: echoes, and what tests tell it."""
    LOCAL = "local"
    """A small real model on this machine."""
    OPENROUTER = "openrouter"
    """The real OpenRouter, with the key in OPENROUTER_API_KEY."""


@dataclass(frozen=True)
class ModelChoice:
    """A choice with the settings that it needs."""

    model: Model
    sentence: str
    environment: dict[str, str] = field(default_factory=dict[str, str])


def choose(wanted: str | None, environment: Mapping[str, str] = os.environ) -> ModelChoice:
    """What was asked for, or the most real one that can be had.

    :raises ProcessError: what was asked for cannot be had
    """
    key = environment.get(KEY_VARIABLE, "")
    installed = local_model.weights() is not None
    if wanted is None:
        wanted = Model.OPENROUTER if key else Model.LOCAL if installed else Model.DOUBLE
    model = Model(wanted)
    if model is Model.OPENROUTER:
        if not key:
            raise ProcessError(
                f"--model openrouter needs a key of OpenRouter in the variable {KEY_VARIABLE}. "
                "Without one, use --model local or --model double."
            )
        return ModelChoice(model, "OpenRouter, with your key", _openrouter(key, environment))
    if model is Model.LOCAL:
        if not installed:
            raise ProcessError(
                "--model local needs the local model, which is not installed. "
                "`make local-model` installs it."
            )
        return ModelChoice(model, "SmolLM2 on this machine, small and often wrong")
    return ModelChoice(model, "a scripted double, which echoes")


def _openrouter(key: str, environment: Mapping[str, str]) -> dict[str, str]:
    address = environment.get("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1")
    return {KEY_VARIABLE: key, "OPENROUTER_BASE_URL": address}
