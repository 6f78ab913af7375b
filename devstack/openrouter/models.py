"""The models that the double offers, in the vendor's shape."""

from typing import Any


def row(
    model_id: str,
    name: str,
    context: int,
    prompt: str = "0",
    completion: str = "0",
    description: str = "A scripted model of the local double.",
) -> dict[str, Any]:
    """A row of the model list; prices are US dollars for a token."""
    return {
        "id": model_id,
        "canonical_slug": model_id,
        "name": name,
        "description": description,
        "created": 1_750_000_000,
        "context_length": context,
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image", "file"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
        },
        "pricing": {"prompt": prompt, "completion": completion, "request": "0", "image": "0"},
        "top_provider": {
            "context_length": context,
            "max_completion_tokens": 16_384,
            "is_moderated": False,
        },
        "supported_parameters": [
            "max_tokens",
            "reasoning",
            "response_format",
            "seed",
            "stop",
            "temperature",
            "tool_choice",
            "tools",
            "top_p",
        ],
    }


MODELS = (
    row("double/echo", "Double: Echo", 128_000, "0.000001", "0.000002"),
    row("double/echo-mini", "Double: Echo Mini", 8_192, "0.0000001", "0.0000004"),
    row("double/fallback", "Double: Fallback", 128_000, "0.000001", "0.000002"),
    row("openai/gpt-4o-mini", "OpenAI: GPT-4o-mini", 128_000, "0.00000015", "0.0000006"),
    row("anthropic/claude-sonnet-4.5", "Claude Sonnet 4.5", 1_000_000, "0.000003", "0.000015"),
    row("google/gemini-2.5-flash", "Gemini 2.5 Flash", 1_048_576, "0.0000003", "0.0000025"),
)
