"""The switchboard as a page: plain HTML and forms, no script, light and dark.

Every control has a label, every vendor is a form with a heading, and colour is never the only sign
of a state. Form fields carry the names of `Fault`.
"""

from html import escape
from importlib.resources import files
from urllib.parse import parse_qs

from devstack.cloud.faults import Fault, Kind, Vendor

_KINDS: dict[Kind, str] = {
    "status": "Refuse with a status",
    "stall": "Say nothing more",
    "cut": "Break the connection",
    "garbage": "Answer a page of HTML",
    "slow": "Wait before every piece",
}
_NUMBERS = (
    ("status", "Status of a refusal", 400, 599),
    ("after", "Pieces before a stall or cut", 0, 100_000),
    ("delay_ms", "Wait of a slow one, in ms", 0, 600_000),
)
_STYLE = files("devstack.cloud").joinpath("style.css").read_text(encoding="utf-8")


def page(vendors: list[Vendor], address: str, mistake: str = "") -> str:
    """The whole page, served at `address`; `mistake` is what was wrong with a sent form."""
    warning = f'<p role="alert" class="on">{escape(mistake)}</p>' if mistake else ""
    first = vendors[0].name
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Local cloud: switchboard</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Switchboard</h1>
<p>What is wrong with the vendors of this development stack, from the next call on.</p>
{warning}
{"".join(map(_section, vendors))}
<h2>From a shell</h2>
<pre><code>curl -X PUT {escape(address)}/faults/{escape(first)} \\
  -d '{{"kind": "status", "status": 429, "retry_after": "2", "times": 2}}'
curl {escape(address)}/faults
curl -X DELETE {escape(address)}/faults</code></pre>
</main>
</body>
</html>
"""


def _section(vendor: Vendor) -> str:
    name = escape(vendor.name)
    fault = vendor.fault or Fault(kind="status")
    state = (
        f'<span class="on">✕ Faulty:</span> {escape(vendor.fault.sentence())}.'
        if vendor.fault
        else '<span class="off">✓ Works</span> as the vendor would.'
    )
    return f"""
<section id="{name}" aria-labelledby="{name}-title">
<h2 id="{name}-title">{escape(vendor.title)}</h2>
<p class="state" role="status">{state} Calls: {vendor.calls}, spoiled: {vendor.spoiled}.</p>
<form method="post" action="/switchboard">
<input type="hidden" name="vendor" value="{name}">
<div class="fields">
{_kinds(name, fault)}
{_numbers(name, fault)}
<div><label for="{name}-retry">Retry-After of a refusal</label>
<input id="{name}-retry" name="retry_after" maxlength="40" value="{escape(fault.retry_after or "")}"
  placeholder="none"></div>
<div><label for="{name}-times">For how many calls</label>
<input id="{name}-times" name="times" type="number" min="1" value="{fault.times or ""}"
  placeholder="until taken away"></div>
</div>
<div class="buttons">
<button name="do" value="set">Set the fault</button>
<button name="do" value="clear">Take it away</button>
</div>
</form>
</section>"""


def _kinds(name: str, fault: Fault) -> str:
    options = "".join(
        f'<option value="{kind}"{" selected" if kind == fault.kind else ""}>{text}</option>'
        for kind, text in _KINDS.items()
    )
    return (
        f'<div><label for="{name}-kind">What it does</label>'
        f'<select id="{name}-kind" name="kind">{options}</select></div>'
    )


def _numbers(name: str, fault: Fault) -> str:
    return "\n".join(
        f'<div><label for="{name}-{field}">{label}</label><input id="{name}-{field}" '
        f'name="{field}" type="number" min="{low}" max="{high}" required '
        f'value="{getattr(fault, field)}"></div>'
        for field, label, low, high in _NUMBERS
    )


def fault_of_form(body: str) -> tuple[str, Fault | None]:
    """The vendor's name and the fault of a form that was sent.

    :raises KeyError: a field is missing
    :raises ValueError: a value is out of its range
    """
    fields = {name: values[0].strip() for name, values in parse_qs(body).items()}
    name = fields.pop("vendor")
    if fields.pop("do") == "clear":
        return name, None
    return name, Fault.model_validate({field: value for field, value in fields.items() if value})
