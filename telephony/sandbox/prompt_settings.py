"""What the sandbox takes for the tools of a prompt engine, and whom it hands a call to by them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from telephony.sandbox.refusals import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.sandbox.versions import Document

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# E.164, or a dynamic variable that is filled when the call is placed.
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|\{\{[^{}]+\}\}")
# Of SDK 6.2 (llm_create_params.GeneralTool).
_TYPES = frozenset(
    [
        "end_call",
        "transfer_call",
        "agent_swap",
        "press_digit",
        "send_sms",
        "custom",
        "code",
        "extract_dynamic_variable",
        "bridge_transfer",
        "cancel_transfer",
        "mcp",
        "integration_app",
    ]
)
_TRANSFERS = ("cold_transfer", "warm_transfer", "agentic_warm_transfer")
_HANDOFFS = {"prompt": "prompt", "static_message": "message"}
SOMEBODY = "+14155550199"


def check_prompt(body: Document) -> None:
    """
    Refuse tools without a name of their own or of no type, and transfers to nobody.

    :raises Refused: naming the tool and its part
    """
    tools: Any = body.get("general_tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise bad_request("general_tools must be a list of objects.")
    names = [str(tool.get("name", "")) for tool in tools]
    for tool, name in zip(tools, names, strict=True):
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            raise bad_request(f"general_tools: the name {name!r} is not valid.")
        if tool.get("type") not in _TYPES:
            raise bad_request(f"general_tools.{name}: type is not valid.")
        if tool["type"] == "transfer_call" and (wrong := _wrong_in(tool)):
            raise bad_request(f"general_tools.{name}: {wrong} is not valid.")


def _wrong_in(tool: Document) -> str:
    """Return the name of what is wrong with a transfer; empty if nothing is."""
    whom, how = _part(tool, "transfer_destination"), _part(tool, "transfer_option")
    is_predefined = whom.get("type") == "predefined"
    if not is_predefined and (whom.get("type") != "inferred" or not whom.get("prompt")):
        return "transfer_destination"
    if is_predefined and not _NUMBER.fullmatch(str(whom.get("number"))):
        return "transfer_destination.number"
    if how.get("type") not in _TRANSFERS:
        return "transfer_option"
    for name in ("private_handoff_option", "public_handoff_option"):
        said = how.get(name)
        if said is not None and not _is_handoff(said):
            return f"transfer_option.{name}"
    return ""


def _part(tool: Mapping[str, Any], name: str) -> dict[str, Any]:
    part: Any = tool.get(name)
    return part if isinstance(part, dict) else {}


def _is_handoff(said: Any) -> bool:
    return isinstance(said, dict) and bool(said.get(_HANDOFFS.get(str(said.get("type")), "")))


def transfer_number(llm: Mapping[str, Any]) -> str:
    """Return the number that the prompt's first transfer goes to, somebody's where it names none."""
    for tool in llm.get("general_tools") or ():
        number = _part(tool, "transfer_destination").get("number", "")
        if tool.get("type") == "transfer_call" and str(number).startswith("+"):
            return str(number)
    return SOMEBODY
