"""Money in the back office: to read. What changes it stands on the agency's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.models import (
    CallHold,
    CreditLot,
    CreditRequest,
    GrantRun,
    LotShare,
    Payment,
    Rate,
    Repayment,
    Reservation,
    Transaction,
    UsedHour,
    Wallet,
)
from convomono.lib.back_office import ReadOnlyAdmin
from convomono.lib.display import minutes, usd

if TYPE_CHECKING:
    from django.http import HttpRequest


class MoneyAdmin(ReadOnlyAdmin):
    """Rows about money, for those who look after it or may see it."""

    list_select_related = ["client"]
    show_full_result_count = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user = request.user
        return user.is_authenticated and (
            user.has_agency_permission("manage_billing")
            or user.has_agency_permission("view_finance")
        )

    # Columns of what has seconds, or an amount; they are headed by the public names.

    @admin.display(description="minutes", ordering="seconds")
    def minutes_shown(self, row: Any) -> str:
        return minutes(row.seconds)

    @admin.display(description="amount_usd", ordering="amount_micros")
    def amount_usd(self, row: Any) -> str:
        return usd(row.amount_micros)


@admin.register(Wallet)
class WalletAdmin(MoneyAdmin):
    """Balances, the lowest first."""

    list_display = [
        "client",
        "credits_total_minutes",
        "credits_available_minutes",
        "credits_reserved_minutes",
        "credits_consumed_minutes",
        "debt",
        "billing_rate",
        "seq",
    ]
    search_fields = ["client__name"]
    ordering = ["available_seconds", "pk"]

    # The columns are headed by the public names.

    @admin.display(description="credits_total_minutes")
    def credits_total_minutes(self, wallet: Wallet) -> str:
        return minutes(wallet.total_seconds)

    @admin.display(description="credits_available_minutes", ordering="available_seconds")
    def credits_available_minutes(self, wallet: Wallet) -> str:
        return minutes(wallet.available_seconds)

    @admin.display(description="credits_reserved_minutes", ordering="reserved_seconds")
    def credits_reserved_minutes(self, wallet: Wallet) -> str:
        return minutes(wallet.reserved_seconds)

    @admin.display(description="credits_consumed_minutes", ordering="consumed_seconds")
    def credits_consumed_minutes(self, wallet: Wallet) -> str:
        return minutes(wallet.consumed_seconds)

    @admin.display(description=_("owed min"), ordering="debt_seconds")
    def debt(self, wallet: Wallet) -> str:
        return minutes(wallet.debt_seconds)

    @admin.display(description="billing_rate", ordering="price_per_minute_micros")
    def billing_rate(self, wallet: Wallet) -> str:
        return usd(wallet.price_per_minute_micros)


@admin.register(Transaction)
class TransactionAdmin(MoneyAdmin):
    """The ledger; a correction is a new line, from the wallet's page."""

    list_display = [
        "created_at",
        "client",
        "type",
        "minutes_shown",
        "amount_usd",
        "balance",
        "reference_id",
        "status",
        "reason",
        "actor_email",
        "tx_id",
    ]
    list_filter = ["type", "client"]
    search_fields = ["client__name", "reference_id", "key", "reason"]
    ordering = ["-created_at", "-seq"]
    date_hierarchy = "created_at"

    @admin.display(description="tx_id")
    def tx_id(self, line: Transaction) -> str:
        return str(line.pk)

    @admin.display(description=_("available after"))
    def balance(self, line: Transaction) -> str:
        return minutes(line.balance_after_seconds)


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    """What clients paid, and for how many minutes."""

    list_display = [
        "created_at",
        "client",
        "reference",
        "method",
        "minutes_shown",
        "amount_usd",
        "status",
    ]
    list_filter = ["method", "status"]
    search_fields = ["client__name", "reference"]
    ordering = ["-created_at", "pk"]


@admin.register(CreditLot)
class CreditLotAdmin(MoneyAdmin):
    """Minutes that expire, in seconds."""

    list_display = [
        "expires_at",
        "client",
        "payment",
        "seconds",
        "available_seconds",
        "spent_seconds",
        "expired_seconds",
    ]
    list_select_related = ["client", "payment"]
    search_fields = ["client__name", "payment__reference"]
    ordering = ["-expires_at", "pk"]


@admin.register(Rate)
class RateAdmin(MoneyAdmin):
    """Prices, dated."""

    list_display = [
        "client",
        "price",
        "increment_seconds",
        "minimum_seconds",
        "effective_from",
        "created_by_email",
    ]
    search_fields = ["client__name"]
    ordering = ["-effective_from", "pk"]

    @admin.display(description=_("price per min"), ordering="price_per_minute_micros")
    def price(self, rate: Rate) -> str:
        return usd(rate.price_per_minute_micros)


@admin.register(Reservation)
class ReservationAdmin(MoneyAdmin):
    """What launches set aside, in seconds."""

    list_display = [
        "created_at",
        "client",
        "status",
        "granted_seconds",
        "free_seconds",
        "held_seconds",
        "posted_seconds",
        "released_seconds",
    ]
    list_filter = ["status"]
    search_fields = ["client__name", "batch_call_id"]
    ordering = ["-created_at", "pk"]


@admin.register(CallHold)
class CallHoldAdmin(MoneyAdmin):
    """What dials hold, in seconds."""

    list_display = [
        "created_at",
        "client",
        "status",
        "seconds",
        "posted_seconds",
        "expires_at",
        "resolved_at",
    ]
    list_filter = ["status"]
    search_fields = ["client__name", "attempt_id", "call_id"]
    ordering = ["-created_at", "pk"]


@admin.register(Repayment)
class RepaymentAdmin(MoneyAdmin):
    """What was paid back of payments."""

    list_display = [
        "created_at",
        "client",
        "payment",
        "minutes_shown",
        "amount_usd",
        "reason",
        "made_by_email",
    ]
    list_select_related = ["client", "payment"]
    search_fields = ["client__name", "payment__reference", "made_by_email"]
    ordering = ["-pk"]


@admin.register(CreditRequest)
class CreditRequestAdmin(MoneyAdmin):
    """What needed a second person."""

    list_display = [
        "asked_at",
        "client",
        "kind",
        "status",
        "seconds",
        "asked_by_email",
        "decided_by_email",
    ]
    list_filter = ["status", "kind"]
    search_fields = ["client__name", "asked_by_email", "decided_by_email"]
    ordering = ["-pk"]


@admin.register(GrantRun)
class GrantRunAdmin(MoneyAdmin):
    """Minutes for nothing for many clients at once."""

    list_display = [
        "asked_at",
        "reason",
        "status",
        "seconds",
        "clients_count",
        "done_count",
        "asked_by_email",
    ]
    list_filter = ["status"]
    list_select_related = []
    search_fields = ["reason", "asked_by_email"]
    ordering = ["-pk"]


@admin.register(LotShare)
class LotShareAdmin(MoneyAdmin):
    """Which launch set aside minutes of which lot, in seconds."""

    list_display = ["client", "lot", "reservation", "seconds"]
    list_select_related = ["client", "lot", "reservation"]
    search_fields = ["client__name"]
    ordering = ["-pk"]


@admin.register(UsedHour)
class UsedHourAdmin(MoneyAdmin):
    """What clients used by the hour, for some days."""

    list_display = ["hour_at", "client", "seconds"]
    search_fields = ["client__name"]
    ordering = ["-hour_at", "pk"]
