"""Money in the seed's field names: minutes and dollars as decimals in strings."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.models import CreditLot, Invoice, Payment, Statement, Transaction, Wallet
from billing.queries import expiring_lots
from convomono.lib import money


@extend_schema_field(serializers.DecimalField(14, 2))
class MinutesField(serializers.ReadOnlyField):
    """Whole seconds as minutes with two decimals."""

    def to_representation(self, value: int) -> str:
        return str(money.minutes(value))


@extend_schema_field(serializers.DecimalField(16, 4))
class DollarsField(serializers.ReadOnlyField):
    """Micros as US dollars with four decimals."""

    def to_representation(self, value: int) -> str:
        return f"{money.dollars(value):.4f}"


class TransactionSerializer(serializers.ModelSerializer[Transaction]):
    """
    One line of a ledger.

    `amount_usd` is what was paid for minutes, or what a call cost the client. Minutes are negative
    only where an adjustment takes some. `seconds` and `amount_micros` are the exact figures, which
    sum up; price and rounding stand on what was charged. A correction names the line it corrects.
    """

    tx_id = serializers.UUIDField(source="pk")
    client_id = serializers.UUIDField()
    minutes = serializers.DecimalField(14, 2)
    amount_usd = serializers.DecimalField(16, 4)
    price_per_minute_usd = serializers.DecimalField(12, 4)
    corrects_tx_id = serializers.UUIDField(source="corrects_id", allow_null=True)
    balance_after_minutes = serializers.DecimalField(14, 2)

    class Meta:
        model = Transaction
        fields = [
            "tx_id",
            "client_id",
            "campaign_id",
            "call_id",
            "type",
            "minutes",
            "seconds",
            "amount_usd",
            "amount_micros",
            "price_per_minute_usd",
            "increment_seconds",
            "minimum_seconds",
            "balance_after_minutes",
            "corrects_tx_id",
            "reference_id",
            "reason",
            "status",
            "created_at",
        ]
        read_only_fields = fields


class ExpirySerializer(serializers.Serializer[CreditLot]):
    """Minutes that are available, and when those of them expire that nobody uses."""

    minutes = MinutesField(source="available_seconds")
    expires_at = serializers.DateTimeField()
    reference_id = serializers.CharField(source="payment.reference")


class WalletRowSerializer(serializers.ModelSerializer[Wallet]):
    """A client's credits in a list, and its price in US dollars per minute."""

    client_id = serializers.UUIDField()
    credits_total_minutes = serializers.DecimalField(14, 2, source="total_minutes")
    credits_available_minutes = serializers.DecimalField(14, 2, source="available_minutes")
    credits_reserved_minutes = serializers.DecimalField(14, 2, source="reserved_minutes")
    credits_consumed_minutes = serializers.DecimalField(14, 2, source="consumed_minutes")
    billing_rate = serializers.DecimalField(12, 4)

    class Meta:
        model = Wallet
        fields = [
            "client_id",
            "credits_total_minutes",
            "credits_available_minutes",
            "credits_reserved_minutes",
            "credits_consumed_minutes",
            "billing_rate",
        ]
        read_only_fields = fields


class WalletSerializer(WalletRowSerializer):
    """A client's credits, what of them expires, and its price in US dollars per minute."""

    credits_expiring = serializers.SerializerMethodField()

    class Meta(WalletRowSerializer.Meta):
        fields = [*WalletRowSerializer.Meta.fields, "credits_expiring"]
        read_only_fields = fields

    @extend_schema_field(ExpirySerializer(many=True))
    def get_credits_expiring(self, wallet: Wallet) -> object:
        if not wallet.expiring_seconds:
            return []
        return [ExpirySerializer(lot).data for lot in expiring_lots(client_id=wallet.client_id)]


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """
    What was paid, or is to be, for how many minutes; `reference_id` is the agency's own.

    `repaid_minutes` of them were taken out again, for `repaid_usd`.
    """

    payment_id = serializers.UUIDField(source="pk")
    client_id = serializers.UUIDField()
    reference_id = serializers.CharField(source="reference")
    minutes = MinutesField(source="seconds")
    amount_usd = DollarsField(source="amount_micros")
    repaid_minutes = MinutesField(source="repaid_seconds")
    repaid_usd = DollarsField(source="repaid_micros")

    class Meta:
        model = Payment
        fields = [
            "payment_id",
            "client_id",
            "reference_id",
            "method",
            "minutes",
            "amount_usd",
            "repaid_minutes",
            "repaid_usd",
            "status",
            "valid_days",
            "created_at",
            "paid_at",
            "ended_at",
        ]
        read_only_fields = fields


class InvoiceSerializer(serializers.ModelSerializer[Invoice]):
    """An invoice or a credit note, as it was issued; amounts include `tax_usd`."""

    invoice_id = serializers.UUIDField(source="pk")
    client_id = serializers.UUIDField()
    payment_id = serializers.UUIDField()
    minutes = MinutesField(source="seconds")
    amount_usd = DollarsField(source="amount_micros")
    tax_usd = DollarsField(source="tax_micros")

    class Meta:
        model = Invoice
        fields = [
            "invoice_id",
            "client_id",
            "payment_id",
            "kind",
            "number",
            "corrects_number",
            "sold_by",
            "billed_to",
            "billed_address",
            "minutes",
            "amount_usd",
            "tax_name",
            "tax_usd",
            "reason",
            "issued_at",
        ]
        read_only_fields = fields


class StatementSerializer(serializers.ModelSerializer[Statement]):
    """
    A month of a ledger; `totals` are lines, seconds and micros by type, `digest` the CSV's SHA-256.

    Before and after it: what was available, what was reserved, what was owed, and the credit, which is
    available and reserved less owed. `totals` say what each type moved of them, signed.
    """

    statement_id = serializers.UUIDField(source="pk")
    client_id = serializers.UUIDField()
    month = serializers.DateField(format="%Y-%m")
    opening_credit_seconds = serializers.IntegerField()
    closing_credit_seconds = serializers.IntegerField()

    class Meta:
        model = Statement
        fields = [
            "statement_id",
            "client_id",
            "month",
            "time_zone",
            "status",
            "first_seq",
            "last_seq",
            "opening_seconds",
            "opening_reserved_seconds",
            "opening_debt_seconds",
            "opening_credit_seconds",
            "closing_seconds",
            "closing_reserved_seconds",
            "closing_debt_seconds",
            "closing_credit_seconds",
            "totals",
            "digest",
            "asked_at",
            "issued_at",
        ]
        read_only_fields = fields


class PapersQuerySerializer(serializers.Serializer[None]):
    """Whose papers are wanted."""

    client_id = serializers.UUIDField(required=False, help_text="For the agency.")


class LedgerQuerySerializer(serializers.Serializer[None]):
    """Which lines are wanted."""

    type = serializers.ChoiceField(choices=Transaction.Type.choices, required=False)
    client_id = serializers.UUIDField(required=False, help_text="For the agency.")
    campaign_id = serializers.UUIDField(required=False)
    call_id = serializers.UUIDField(required=False)
    created_from = serializers.DateTimeField(required=False, source="created_at__gte")
    created_before = serializers.DateTimeField(required=False, source="created_at__lt")
