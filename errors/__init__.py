"""Every failure a caller can meet: codes, reasons, and how they travel.

    RpcError          what handlers raise and clients read (rpc_error.py)
      code            one of `Code`: decides HTTP status and whether a later try may work (codes.py)
      reason          stable machine word `noun.condition`, declared once as a `Reason` (reason.py)
      details         typed `ErrorDetails`: upstream, model, retry, field violations, help link

`wire.py` carries an RpcError through Restate and into the public envelope without loss;
`classify.py` turns what a vendor or a socket did into an RpcError. This package imports
nothing of ours, so every layer may use it.
"""

from errors.codes import Code
from errors.reason import Reason
from errors.rpc_error import (
    ErrorDetails,
    FieldViolation,
    HelpLink,
    ModelError,
    Outcome,
    RetryInfo,
    RpcError,
    UpstreamError,
)

__all__ = [
    "Code",
    "ErrorDetails",
    "FieldViolation",
    "HelpLink",
    "ModelError",
    "Outcome",
    "Reason",
    "RetryInfo",
    "RpcError",
    "UpstreamError",
]
