"""Tenants, the people who sign in, and what the product tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self
from zoneinfo import available_timezones

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from convomono.lib.models import BaseModel

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID


class Viewer(Protocol):
    """What `visible_to` needs to know of a person."""

    @property
    def is_agency_staff(self) -> bool: ...
    @property
    def client_id(self) -> UUID | None: ...


class Credits(Protocol):
    """What a client shows of its wallet (`billing.models.Wallet`), in minutes with two decimals."""

    @property
    def total_minutes(self) -> Decimal: ...
    @property
    def available_minutes(self) -> Decimal: ...
    @property
    def reserved_minutes(self) -> Decimal: ...
    @property
    def consumed_minutes(self) -> Decimal: ...
    @property
    def billing_rate(self) -> Decimal: ...
    @property
    def available_seconds(self) -> int: ...


CALLS_AT_ONCE = 20  # of a client of which nothing else is said


class Client(BaseModel):
    """
    A business that buys minutes and runs campaigns: the tenant.

    Nobody signs in or dials for one that is not active. `concurrency_limit` is how many calls it
    may have at once, `time_zone` the zone its pages show.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        INACTIVE = "inactive", _("Inactive")

    name = models.CharField(max_length=120, unique=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    time_zone = models.CharField(max_length=64, default="America/New_York")
    contact_email = models.EmailField(blank=True)
    concurrency_limit = models.PositiveIntegerField(default=CALLS_AT_ONCE)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField()

    wallet: Credits  # the other end of billing.Wallet.client

    class Meta:
        indexes = [models.Index(fields=["status", "name"], name="client_by_status")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a zone that no page could be shown in."""
        super().clean()
        if self.time_zone not in available_timezones():
            raise ValidationError({"time_zone": _("This is no IANA time zone.")})

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    # The seed's credit fields; the wallet owns them.

    @property
    def credits_total_minutes(self) -> Decimal:
        """All minutes bought and not yet refunded or expired: available, reserved and consumed."""
        return self.wallet.total_minutes

    @property
    def credits_reserved_minutes(self) -> Decimal:
        """Minutes set aside for launches."""
        return self.wallet.reserved_minutes

    @property
    def credits_consumed_minutes(self) -> Decimal:
        """Minutes used by calls."""
        return self.wallet.consumed_minutes

    @property
    def credits_available_minutes(self) -> Decimal:
        """Minutes that a launch may reserve."""
        return self.wallet.available_minutes

    @property
    def billing_rate(self) -> Decimal:
        """The price in force, in dollars per minute."""
        return self.wallet.billing_rate


class ClientOwnedQuerySet[Row: models.Model](models.QuerySet[Row]):
    """Rows of clients, scoped by who looks."""

    def visible_to(self, viewer: Viewer) -> Self:
        """Keep the rows this person may see: all for agency staff, else their client's."""
        if viewer.is_agency_staff:
            return self.all()
        if viewer.client_id is None:
            return self.none()
        return self.filter(client_id=viewer.client_id)


class ClientOwned(BaseModel):
    """A row that belongs to one client; each index on such a table begins with it."""

    # The indexes of the tables begin with it, so it needs none of its own.
    client = models.ForeignKey(Client, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        abstract = True


class UserManager(BaseUserManager["User"]):
    """Finds people by e-mail in any case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").lower())

    def create_user(self, *, email: str, password: str | None, **fields: Any) -> User:
        """Add a person; without a password they set one by e-mail."""
        user = self.model(email=email.lower(), **fields)
        if password:
            user.set_password(password)
        else:
            user.set_unusable_password()
        user.save(using=self._db)
        return user

    def create_superuser(self, *, email: str, password: str | None, **fields: Any) -> User:
        """Add a super admin, for `manage.py createsuperuser`."""
        return self.create_user(
            email=email, password=password, role=User.Role.SUPER_ADMIN, **fields
        )


class User(AbstractBaseUser, BaseModel):
    """
    A person who signs in with an e-mail address.

    A super admin may do everything for the agency; an admin what the five permission columns grant;
    a client's person what `client_role` grants inside that client. Launching spends money, so it
    is a column of its own. There are no Django groups: two clients' rights never meet.
    """

    class Role(models.TextChoices):
        SUPER_ADMIN = "super_admin", _("Super admin")
        ADMIN = "admin", _("Admin")
        CLIENT = "client", _("Client")

    class ClientRole(models.TextChoices):
        OWNER = "owner", _("Owner")
        MANAGER = "manager", _("Manager")
        VIEWER = "viewer", _("Viewer")

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=16, choices=Role)
    client = models.ForeignKey(Client, models.PROTECT, null=True, blank=True, related_name="users")
    client_role = models.CharField(max_length=16, choices=ClientRole, blank=True)
    can_launch = models.BooleanField(default=False)
    manage_clients = models.BooleanField(default=False)
    manage_campaigns = models.BooleanField(default=False)
    manage_phone_numbers = models.BooleanField(default=False)
    manage_billing = models.BooleanField(default=False)
    view_finance = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    notifications_seen_at = models.DateTimeField(null=True, blank=True)  # newer ones are unread
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = UserManager()

    class Meta:
        indexes = [models.Index(fields=["client", "email"], name="user_by_client")]

    def __str__(self) -> str:
        return self.name or self.email

    def clean(self) -> None:
        """Refuse whoever would belong to the agency and to a client, or to neither."""
        super().clean()
        self.email = self.email.lower()
        if self.is_agency_staff and (self.client_id or self.client_role or self.can_launch):
            problem = _("The agency's people have no client, no role there and don't launch.")
            raise ValidationError({"role": problem})
        if not self.is_agency_staff and not (self.client_id and self.client_role):
            raise ValidationError({"client": _("A client's person needs the client and a role.")})

    @property
    def is_superuser(self) -> bool:
        return self.role == self.Role.SUPER_ADMIN

    @property
    def is_agency_staff(self) -> bool:
        """True for the people of the agency: super admins and admins."""
        return self.role in {self.Role.SUPER_ADMIN, self.Role.ADMIN}

    @property
    def is_staff(self) -> bool:
        """Django admin's word for who may enter it."""
        return self.is_active and self.is_agency_staff

    @property
    def actor_id(self) -> UUID:
        return self.pk

    @property
    def actor_email(self) -> str:
        return self.email

    @property
    def actor_type(self) -> str:
        return self.role

    def has_agency_permission(self, name: str) -> bool:
        """Tell whether this person holds one of the five admin permissions."""
        if not (self.is_active and self.is_agency_staff):
            return False
        return self.is_superuser or bool(getattr(self, name))

    def has_perm(self, perm: str, _obj: object = None) -> bool:
        """
        Answer for the Django admin, by room: `leads.change_lead` asks for that room's permission.

        Looking needs the room's permission too; people, prices and the audit log are for super
        admins, apart from the clients themselves.
        """
        app_label = perm.partition(".")[0]
        permission = ADMIN_PERMISSION.get(app_label)
        if permission is None:
            return self.is_active and self.is_superuser
        return self.has_agency_permission(permission)

    def has_perms(self, perm_list: list[str], obj: object = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        return self.has_perm(f"{app_label}.view")


# Which admin permission opens which room of the Django admin; the rest is for super admins.
ADMIN_PERMISSION = {
    "accounts": "manage_clients",
    "leads": "manage_campaigns",
    "campaigns": "manage_campaigns",
    "telephony": "manage_phone_numbers",
    "billing": "manage_billing",
    "reporting": "view_finance",
}


class ActingSession(BaseModel):
    """
    A time in which one of the agency's people works as a client; `acted_for` is whose rights they have.

    Over at `ends_at` (real time) or earlier, at `ended_at`.
    """

    user = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    client = models.ForeignKey(Client, models.PROTECT, related_name="+", db_index=False)
    acted_for = models.ForeignKey(User, models.PROTECT, related_name="+", db_index=False)
    reason = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["client", "-started_at"], name="acting_by_client")]

    def __str__(self) -> str:
        return f"{self.user_id} as {self.client_id}"


class Notification(BaseModel):
    """
    Something the product tells a client's people, or the agency when `client` is empty.

    `key` makes one cause one notification. It is unread for whoever hasn't looked since
    (`User.notifications_seen_at`).
    """

    class Level(models.TextChoices):
        INFO = "info", _("Information")
        WARN = "warn", _("Warning")
        BAD = "bad", _("Problem")

    client = models.ForeignKey(Client, models.CASCADE, null=True, blank=True, db_index=False)
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=200, blank=True)
    key = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["client", "-created_at"], name="notification_by_client")]

    def __str__(self) -> str:
        return self.title


class ClientEvent(ClientOwned):
    """
    Something that a client's own systems may want to hear of: the outbox of their webhooks.

    `key` makes one cause one event; `data` is what the receiver gets, in the API's field names.
    `routed_at` is empty until it stands in line at each of the client's addresses that asked for
    its kind (`webhooks/outgoing.py`).
    """

    class Kind(models.TextChoices):
        CALL_ENDED = "call.ended", _("A call ended")
        CALL_ANALYZED = "call.analyzed", _("A call was analysed")
        LEAD_CONVERTED = "lead.converted", _("A lead converted")
        CAMPAIGN_FINISHED = "campaign.finished", _("A campaign finished")
        CREDITS_LOW = "credits.low", _("Minutes run low")
        AUTOMATION = "automation.matched", _("A rule of yours met a call")
        TEST = "test", _("Test")

    kind = models.CharField(max_length=32, choices=Kind)
    key = models.CharField(max_length=200, unique=True)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    routed_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["routed_at", "created_at"], name="client_event_unrouted"),
        ]

    def __str__(self) -> str:
        return self.kind
