"""Numbers we call from, what their days came to, and orders of new ones."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client, ClientOwned, ClientOwnedQuerySet
from convomono.lib.models import BaseModel


class PhoneNumberQuerySet(ClientOwnedQuerySet["PhoneNumber"]):
    """Numbers; one without a client is the agency's stock."""

    def in_use(self) -> PhoneNumberQuerySet:
        """Keep numbers that were not released."""
        return self.filter(released_at=None)


class PhoneNumber(BaseModel):
    """
    A number to call from: the agency's, lent to at most one client.

    `resting_until` is set when calls from it go wrong (spam label, blocked, worn out): until then it
    is not used. `used_on` and `used_count` count today's dials against `daily_cap` (0: no cap);
    `concurrency_limit` is how many calls it may have at once (0: no limit). A new number warms up
    from `warming_from` on. `health` compares its pick-up since `health_since` with the 28 days
    before; `health_facts` are the figures (HealthFacts).

    `provider_number_id` is Twilio's id of a number that was bought there: once released, it is given back
    from `give_back_at` on (`give_back_error` says what stood in the way) until `given_back_at`.
    """

    class Health(models.TextChoices):
        HEALTHY = "healthy", _("Healthy")
        AT_RISK = "at_risk", _("At risk")
        RESTING = "resting", _("Worn out")

    class Provider(models.TextChoices):
        RETELL_TWILIO = "retell-twilio", _("Retell (Twilio)")
        RETELL_TELNYX = "retell-telnyx", _("Retell (Telnyx)")
        TWILIO = "twilio", _("Twilio")
        CUSTOM = "custom", _("Own carrier")

    class Type(models.TextChoices):
        LOCAL = "local", _("Local")
        TOLL_FREE = "toll_free", _("Toll-free")
        MOBILE = "mobile", _("Mobile")

    phone_number = models.CharField(max_length=16, unique=True)
    provider = models.CharField(max_length=16, choices=Provider, default=Provider.RETELL_TWILIO)
    client = models.ForeignKey(
        Client, models.PROTECT, null=True, blank=True, related_name="phone_numbers", db_index=False
    )
    type = models.CharField(max_length=16, choices=Type, default=Type.LOCAL)
    imported = models.BooleanField(default=False)
    nickname = models.CharField(max_length=80, blank=True)
    rent_micros = models.PositiveBigIntegerField(default=2_000_000)
    daily_cap = models.PositiveIntegerField(default=0)
    used_on = models.DateField(null=True, blank=True)
    used_count = models.PositiveIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True, blank=True)
    resting_until = models.DateTimeField(null=True, blank=True)
    resting_reason = models.CharField(max_length=200, blank=True)
    concurrency_limit = models.PositiveIntegerField(default=0)
    warming_from = models.DateField(null=True, blank=True)
    health = models.CharField(max_length=8, choices=Health, default=Health.HEALTHY)
    health_since = models.DateField(null=True, blank=True)
    health_facts = models.JSONField(default=dict)
    provider_number_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    give_back_at = models.DateTimeField(null=True, blank=True)
    give_back_error = models.CharField(max_length=200, blank=True)
    given_back_at = models.DateTimeField(null=True, blank=True)

    objects = PhoneNumberQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "released_at", "last_used_at"], name="number_pool"),
        ]

    def __str__(self) -> str:
        return self.phone_number

    @property
    def is_active(self) -> bool:
        """The seed's field: not released."""
        return self.released_at is None

    @property
    def assigned_client_id(self) -> object:
        """The seed's field: the client it is lent to."""
        return self.client_id


class NumberDay(BaseModel):
    """What the calls from a number came to on one UTC day; counted anew each minute until it is past."""

    phone_number = models.CharField(max_length=16)
    day = models.DateField()
    dials = models.PositiveIntegerField(default=0)
    picked = models.PositiveIntegerField(default=0)  # a person answered
    machines = models.PositiveIntegerField(default=0)
    short = models.PositiveIntegerField(default=0)  # a person hung up within six seconds
    trouble = models.PositiveIntegerField(default=0)  # labelled, blocked, declined

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phone_number", "day"], name="number_day_once"),
        ]
        indexes = [models.Index(fields=["day"], name="number_day_by_day")]

    def __str__(self) -> str:
        return f"{self.phone_number} {self.day}"


class NumberLease(ClientOwned):
    """
    The time for which a number was lent to a client, until excluded; the present one has no end.

    The rent is spread by it: `rent_micros` a month, which a change of the number's own begins a new lease
    for. None: the number's own (kept since a lease first ended or the rent changed). A number lent before
    leases were kept has none until it moves.
    """

    number = models.ForeignKey(PhoneNumber, models.CASCADE, related_name="leases")
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True, blank=True)
    rent_micros = models.PositiveBigIntegerField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "from_at"], name="number_lease_by_client")]

    def __str__(self) -> str:
        return f"{self.from_at:%Y-%m-%d}"


class NumberOrder(BaseModel):
    """
    One purchase of a number, written before it is asked for.

    `key` is the idempotency key of the form. Status: `asked` until the carrier answers; `paid` names a
    number that is ours at Twilio, but which Retell can't call from yet; `bought` names one that stands
    in the inventory; `refused` cost nothing; `unknown` may have bought one. `sent_nickname` is the name
    that the number has at its carrier, the order's own: by it a job finds out whether it was bought.
    At Twilio `phone_number` is the one that was chosen, in each status, and `rent_micros` what Twilio
    said it costs a month (None: it didn't say).
    """

    class Status(models.TextChoices):
        ASKED = "asked", _("Being bought")
        PAID = "paid", _("Bought, not connected yet")
        BOUGHT = "bought", _("Bought")
        REFUSED = "refused", _("Refused")
        UNKNOWN = "unknown", _("Unknown")

    class Carrier(models.TextChoices):
        RETELL = "retell", _("Retell")
        TWILIO = "twilio", _("Twilio")

    OPEN = (Status.ASKED, Status.PAID, Status.UNKNOWN)

    key = models.UUIDField(unique=True)
    carrier = models.CharField(max_length=8, choices=Carrier, default=Carrier.RETELL)
    area_code = models.PositiveIntegerField(null=True, blank=True)
    is_toll_free = models.BooleanField(default=False)
    type = models.CharField(max_length=16, choices=PhoneNumber.Type, default=PhoneNumber.Type.LOCAL)
    status = models.CharField(max_length=8, choices=Status, default=Status.ASKED)
    phone_number = models.CharField(max_length=16, blank=True)
    provider_number_id = models.CharField(max_length=64, blank=True)
    rent_micros = models.PositiveBigIntegerField(null=True, blank=True)
    error = models.CharField(max_length=400, blank=True)
    nickname = models.CharField(max_length=80, blank=True)
    sent_nickname = models.CharField(max_length=100, blank=True)
    ordered_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.phone_number or str(self.area_code or "–")

    @property
    def number_type(self) -> str:
        """Which kind of number was ordered, a PhoneNumber.Type."""
        return PhoneNumber.Type.TOLL_FREE if self.is_toll_free else self.type
