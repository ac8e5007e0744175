"""The demonstration's agency, clients and people; made once, through the services that people use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from accounts.api_keys import create_api_key
from accounts.models import ApiKey, Client, User
from accounts.services import Rights, add_client_user, change_client
from billing.clients.services import open_account
from billing.models import Payment
from billing.services import grant, purchase, repay, set_seller
from convomono.lib.ids import uuid7
from convomono.lib.money import micros_from_dollars
from telephony.models import PhoneNumber
from telephony.retell import retell_gateway
from telephony.services.health import set_number_limits
from telephony.services.numbers import assign_number, buy_number
from telephony.services.twilio_orders import Choice, buy_twilio_number
from telephony.twilio import find_twilio_gateway

if TYPE_CHECKING:
    from datetime import datetime


WELCOME_SECONDS, WELCOME_DAYS = 300 * 60, 90
PASSWORD = "demo-password"  # noqa: S105 - of the demonstration, printed for everybody
# Area codes of the numbers each client calls from.
# Calls that were called spam rest the number they came from, so that a campaign needs several.
CALLERS = (202, 646, 312, 213, 305, 404, 512, 602, 617, 702, 713, 916)
ROOT = "root@convomono.test"
RIVAL_CALLERS = (323,)
CALLS_AT_ONCE = 60


class NoTrial(Exception):
    """The demonstration is for the sandbox: its people and passwords must not meet a real Retell."""


@dataclass(frozen=True)
class Agency:
    """Whom the demonstration is about."""

    root: User
    acme: Client
    rival: Client
    alice: User


def find_agency() -> Agency | None:
    """Return the demonstration's agency if it was made already."""
    root = User.objects.filter(email=ROOT).first()
    if root is None:
        return None
    alice = User.objects.select_related("client").get(email="alice@acme.test")
    assert alice.client is not None
    rival = Client.objects.get(name="Rival Roofing")
    return Agency(root=root, acme=alice.client, rival=rival, alice=alice)


def make_agency(*, now: datetime, minutes: int) -> Agency:
    """
    Make the agency with two clients, their people, prices, numbers and `minutes` each.

    :raises NoTrial: unless the sandbox is what we talk to
    """
    if not settings.SANDBOX:
        raise NoTrial("The demonstration needs the sandbox: unset RETELL_BASE_URL.")
    root = User.objects.create_user(
        email=ROOT, password=PASSWORD, name="Root", role=User.Role.SUPER_ADMIN
    )
    User.objects.create_user(
        email="bob@convomono.test",
        password=PASSWORD,
        name="Bob",
        role=User.Role.ADMIN,
        manage_clients=True,
        manage_campaigns=True,
        manage_phone_numbers=True,
        manage_billing=True,
        view_finance=True,
    )
    set_seller(
        name="Bright Calls LLC",
        address="1 Main Street\nAlbany, NY 12207",
        tax_number="EIN 12-3456789",
        tax_name="",
        tax_basis_points=0,
        actor=root,
        now=now,
    )
    acme = _client("Acme Dental", "America/New_York", "0.25", root, now, minutes)
    rival = _client("Rival Roofing", "America/Los_Angeles", "0.32", root, now, minutes)
    _sold_too_many(acme, root, now)
    alice = _person(acme, "alice@acme.test", "Alice Archer", "owner", root, now, can_launch=True)
    create_api_key(
        client=acme, name="CRM", scope=ApiKey.Scope.WRITE, expires_at=None, actor=alice, now=now
    )
    _person(acme, "mia@acme.test", "Mia Moss", "manager", root, now)
    _person(acme, "vera@acme.test", "Vera Voss", "viewer", root, now)
    _person(rival, "charlie@rival.test", "Charlie Cole", "owner", root, now, can_launch=True)
    for client, areas in ((acme, CALLERS), (rival, RIVAL_CALLERS)):
        for area_code in areas:
            order = buy_number(
                gateway=retell_gateway(), key=uuid7(), area_code=area_code, actor=root, now=now
            )
            number = PhoneNumber.objects.get(phone_number=order.phone_number)
            assign_number(number=number, client=client, actor=root, now=now)
            # The agency has had these for a while: they are warm.
            set_number_limits(
                number=number,
                daily_cap=0,
                concurrency_limit=0,
                warms_up=False,
                rent_micros=number.rent_micros,
                actor=root,
                now=now,
            )
    _buy_at_twilio(root, now)
    return Agency(root=root, acme=acme, rival=rival, alice=alice)


def _sold_too_many(client: Client, root: User, now: datetime) -> None:
    """Sell minutes a second time and pay most of them back, with a credit note of its own."""
    purchase(
        client=client,
        seconds=500 * 60,
        amount_micros=500 * micros_from_dollars("0.25"),
        method="card",
        reference="ACME-0002",
        actor=root,
        now=now,
    )
    repay(
        payment=Payment.objects.get(client=client, reference="ACME-0002"),
        seconds=400 * 60,
        reason="Ordered for a launch that was put off",
        key=uuid7(),
        actor=root,
        now=now,
    )


def _buy_at_twilio(root: User, now: datetime) -> None:
    """Put a number of another carrier into stock, where the sandbox's Twilio is set up."""
    carrier = find_twilio_gateway()
    if carrier is None:
        return
    (found, *_more) = carrier.search_numbers(country="US", kind="toll_free")
    choice = Choice(
        phone_number=found.phone_number,
        type=PhoneNumber.Type.TOLL_FREE,
        rent_micros=carrier.monthly_price(country="US", kind="toll_free"),
        nickname="Spare",
    )
    buy_twilio_number(
        carrier=carrier, gateway=retell_gateway(), key=uuid7(), choice=choice, actor=root, now=now
    )


def _client(
    name: str, time_zone: str, dollars: str, root: User, now: datetime, minutes: int
) -> Client:
    price = micros_from_dollars(dollars)
    contact_email = f"billing@{name.split(maxsplit=1)[0].lower()}.test"
    client = open_account(
        name=name,
        time_zone=time_zone,
        contact_email=contact_email,
        price_per_minute_micros=price,
        actor=root,
        now=now,
    )
    change_client(
        client=client,
        name=name,
        time_zone=time_zone,
        contact_email=contact_email,
        concurrency_limit=CALLS_AT_ONCE,
        actor=root,
        now=now,
    )
    purchase(
        client=client,
        seconds=minutes * 60,
        amount_micros=minutes * price,
        method="bank",
        reference=f"{name.split(maxsplit=1)[0].upper()}-0001",
        actor=root,
        now=now,
    )
    grant(
        clients=[client],
        seconds=WELCOME_SECONDS,
        reason="Welcome minutes",
        key=client.pk,
        valid_days=WELCOME_DAYS,
        actor=root,
        now=now,
    )
    return client


def _person(
    client: Client,
    email: str,
    name: str,
    role: str,
    root: User,
    now: datetime,
    *,
    can_launch: bool = False,
) -> User:
    return add_client_user(
        client=client,
        email=email,
        name=name,
        rights=Rights(client_role=role, can_launch=can_launch),
        password=PASSWORD,
        actor=root,
        now=now,
    )
