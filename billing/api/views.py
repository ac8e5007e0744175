"""Money for programs: a client reads its own ledger and wallet, the agency everybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import NotFound

from accounts.api.pagination import NewestFirst
from accounts.api.permissions import ClientFace
from billing.api.faces import FinanceFace
from billing.api.serializers import (
    LedgerQuerySerializer,
    TransactionSerializer,
    WalletSerializer,
)
from billing.models import Transaction, Wallet

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User


class LedgerList(generics.ListAPIView[Transaction]):
    """Lines that the caller may see, narrowed by the query string."""

    serializer_class = TransactionSerializer
    pagination_class = NewestFirst
    queryset = Transaction.objects.all()

    def get_queryset(self) -> QuerySet[Transaction]:
        rows = Transaction.objects.visible_to(cast("User", self.request.user))
        asked = LedgerQuerySerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return rows.filter(**asked.validated_data)


@extend_schema(parameters=[LedgerQuerySerializer])
class ClientTransactionList(LedgerList):
    """List the lines of your ledger, the newest first."""

    permission_classes = [ClientFace]


@extend_schema(parameters=[LedgerQuerySerializer])
class AdminTransactionList(LedgerList):
    """List the lines of all ledgers, the newest first; `client_id` asks for one."""

    permission_classes = [FinanceFace]


class ClientWallet(generics.RetrieveAPIView[Wallet]):
    """Show your credits and your price."""

    permission_classes = [ClientFace]
    serializer_class = WalletSerializer
    queryset = Wallet.objects.all()

    def get_object(self) -> Wallet:
        mine = Wallet.objects.filter(client=cast("User", self.request.user).client_id)
        wallet = mine.first()
        if wallet is None:
            raise NotFound
        return wallet
