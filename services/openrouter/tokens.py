"""How many tokens a text is to a model, without the model's tokenizer. Pure.

No tokenizer can be had here without a download at run time, so tokens are estimated: a text falls
into pieces of a few classes (words, digits, scripts, marks, ...), and each class has a weight for
each family of models. The weights were fitted, by least squares of the relative error, to what the
published tokenizers count: o200k_base (openai), Claude's (anthropic), Gemma 3's (google), those of
Llama 3 (meta), Qwen 3 and DeepSeek V3. Other models are counted as Llama 3.

The error which remains: up to 20 % for a text of a hundred words or more in the languages and
formats that were fitted (tests/unit/services/openrouter/test_tokens.py holds other texts to 25 %).
Short texts are further off, each by a few tokens. Newer tokenizers of Claude and those of Gemini
are not published; theirs may lie further away. Images and files count a flat number. Who needs
more takes what the model itself reported of the same thread and estimates only what came after.
"""

import json
import re
from collections.abc import Iterable
from enum import StrEnum

from actors.conversation.contract.run import ContextMessage

MARGIN = 0.25
"""What an estimate may be too low by; a bound that has to hold leaves this much room."""

_IMAGE_TOKENS = 1200
_FILE_TOKENS = 3000
_TOKENS_A_MESSAGE = 5


class Family(StrEnum):
    """Models that count alike."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    META = "meta"
    QWEN = "qwen"
    DEEPSEEK = "deepseek"


# Of a word: the word, and each letter beyond the sixth. Of a run of marks: the first, and others.
_CLASSES: tuple[str, ...] = (
    "word", "long", "digits", "latin", "cyrillic", "han", "kana", "hangul", "arabic", "indic",
    "thai", "lines", "gap", "marks", "mark", "other",
)  # fmt: skip

_WEIGHTS = {
    Family.OPENAI: (
        0.89, 0.01, 0.57, 1.30, 0.25, 0.58, 0.75, 0.74, 0.35, 0.35, 0.40, 0.94, 0.20, 0.03, 1.00,
        1.55,
    ),
    Family.ANTHROPIC: (
        1.02, 0.37, 0.53, 2.57, 0.59, 0.87, 1.11, 1.40, 1.10, 1.32, 1.81, 1.12, 0.00, 0.29, 0.68,
        2.15,
    ),
    Family.GOOGLE: (
        0.87, 0.19, 1.03, 0.77, 0.25, 0.53, 0.53, 0.65, 0.36, 0.28, 0.27, 1.73, 0.11, 0.00, 1.15,
        1.12,
    ),
    Family.META: (
        0.87, 0.45, 0.60, 1.80, 0.34, 0.58, 0.65, 0.73, 0.44, 0.66, 0.43, 0.35, 0.00, 0.06, 0.91,
        2.13,
    ),
    Family.QWEN: (
        0.87, 0.53, 1.13, 1.41, 0.36, 0.49, 0.73, 0.89, 0.42, 1.16, 0.44, 0.33, 0.00, 0.00, 0.91,
        1.38,
    ),
    Family.DEEPSEEK: (
        0.90, 0.39, 0.59, 1.38, 0.36, 0.44, 0.79, 0.94, 0.44, 0.74, 0.40, 0.81, 0.00, 0.14, 0.90,
        1.76,
    ),
}  # fmt: skip

_TABLES: dict[Family, dict[str, float]] = {
    family: dict(zip(_CLASSES, row, strict=True)) for family, row in _WEIGHTS.items()
}

# A camelCase name is several words, as it is to tokenizers. A single space belongs to what follows.
_PIECE = re.compile(
    r"""
    (?P<word>[A-Z]?[a-z]+|[A-Z]+)
    |(?P<digits>[0-9]+)
    |(?P<latin>[\u00c0-\u024f\u1e00-\u1eff]+)
    |(?P<cyrillic>[\u0370-\u052f]+)
    |(?P<han>[\u2e80-\u2fff\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)
    |(?P<kana>[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]+)
    |(?P<hangul>[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]+)
    |(?P<arabic>[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]+)
    |(?P<indic>[\u0900-\u0dff]+)
    |(?P<thai>[\u0e00-\u109f\u1780-\u17ff]+)
    |(?P<lines>[^\S\n]*\n\s*)
    |(?P<gap>[^\S\n]{2,})
    |(?P<mark>[!-/:-@\[-`{-~]+)
    |(?P<other>\S)
    """,
    re.VERBOSE,
)
_LONG_WORD = 6

_PREFIXES = (
    ("openai/", Family.OPENAI),
    ("anthropic/", Family.ANTHROPIC),
    ("google/", Family.GOOGLE),
    ("qwen/", Family.QWEN),
    ("deepseek/", Family.DEEPSEEK),
)


def family_of(model: str) -> Family:
    """The family of a model by its name."""
    return next((family for prefix, family in _PREFIXES if model.startswith(prefix)), Family.META)


def text_tokens(text: str, model: str) -> int:
    """How many tokens a text is, estimated."""
    weights, total = _TABLES[family_of(model)], 0.0
    for piece in _PIECE.finditer(text):
        kind, length = piece.lastgroup or "other", piece.end() - piece.start()
        if kind == "word":
            total += weights["word"] + weights["long"] * max(0, length - _LONG_WORD)
        elif kind == "mark":
            total += weights["mark"] + weights["marks"] * (length - 1)
        elif kind in ("lines", "gap"):
            total += weights[kind]
        else:
            total += weights[kind] * length
    return round(total)


def message_tokens(message: ContextMessage, model: str) -> int:
    """How many tokens a message is, with what stands around it."""
    total = _TOKENS_A_MESSAGE + text_tokens(message.content, model)
    for part in message.parts:
        flat = _IMAGE_TOKENS if part.image_url else _FILE_TOKENS if part.file_url else 0
        total += flat or text_tokens(part.text, model)
    for call in message.tool_calls:
        total += _TOKENS_A_MESSAGE + text_tokens(_arguments(call.arguments), model)
    return total


def context_tokens(messages: Iterable[ContextMessage], model: str) -> int:
    """How many tokens some messages are."""
    return sum(message_tokens(message, model) for message in messages)


def at_most(messages: Iterable[ContextMessage]) -> int:
    """A number of tokens that these messages cannot exceed, found without reading them: no token
    is shorter than a byte."""
    total = 0
    for message in messages:
        total += _TOKENS_A_MESSAGE + _bytes(message.content)
        for part in message.parts:
            total += _bytes(part.text) or max(_IMAGE_TOKENS, _FILE_TOKENS)
        for call in message.tool_calls:
            total += _TOKENS_A_MESSAGE + _bytes(_arguments(call.arguments))
    return total


def cut(text: str, tokens: int, model: str) -> str:
    """The beginning of a text that is longer than so many tokens, with a note that it was cut."""
    found = text_tokens(text, model)
    if found <= tokens:
        return text
    return f"{text[: max(1, len(text) * tokens // found)]} [cut]"


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _arguments(arguments: dict[str, object] | None) -> str:
    return json.dumps(arguments, ensure_ascii=False) if arguments else ""
