"""Mails to several people: who is refused keeps none of the others from being told."""

from __future__ import annotations

from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected

import pytest

from accounts import notifications

ADDRESSES = ["one@x.test", "gone@x.test", "two@x.test"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SMTPRecipientsRefused({"gone@x.test": (550, b"No such user")}), 2),
        (ValueError("Invalid address"), 2),
        (SMTPServerDisconnected("away"), 1),
    ],
)
def test_goes_on_to_the_next_address_unless_the_server_is_away(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: int
) -> None:
    asked = []

    def send(_subject: str, _text: str, _sender: None, to: list[str]) -> int:
        asked.extend(to)
        if to == ["gone@x.test"]:
            raise error
        return 1

    monkeypatch.setattr(notifications, "send_mail", send)

    assert notifications.mail(ADDRESSES, subject="Trouble", text="…") == told
    assert asked == ADDRESSES[: told + 1]
