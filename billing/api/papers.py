"""Payments, invoices, statements and wallets for programs: to read, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import generics

from accounts.access import can_manage
from accounts.api.pagination import NewestFirst
from accounts.api.permissions import ClientFace
from billing.api.faces import FinanceFace
from billing.api.serializers import (
    InvoiceSerializer,
    PapersQuerySerializer,
    PaymentSerializer,
    StatementSerializer,
    WalletRowSerializer,
)
from billing.models import Invoice, Payment, Statement, Wallet

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from accounts.models import User


class PapersFace(ClientFace):
    """A client's managers and owners; viewers see no papers on pages either."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and can_manage(cast("User", request.user))


class NewestIssued(NewestFirst):
    """By the day of issue."""

    ordering = ("-issued_at", "-pk")


class NewestAsked(NewestFirst):
    """By when it was asked for: a month may be asked for later."""

    ordering = ("-asked_at", "-pk")


class Papers(generics.ListAPIView[Any]):
    """Rows that the caller may see; `client_id` asks for one client's."""

    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Any]:
        rows = cast("Any", super().get_queryset()).visible_to(self.request.user)
        asked = PapersQuerySerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return cast("QuerySet[Any]", rows.filter(**asked.validated_data))


class _Payments(Papers):
    serializer_class = PaymentSerializer
    queryset = Payment.objects.all()


class _Invoices(Papers):
    serializer_class = InvoiceSerializer
    pagination_class = NewestIssued
    queryset = Invoice.objects.all()


class _Statements(Papers):
    serializer_class = StatementSerializer
    pagination_class = NewestAsked
    queryset = Statement.objects.all()


class ClientPaymentList(_Payments):
    """List your payments, the newest first."""

    permission_classes = [PapersFace]


class ClientInvoiceList(_Invoices):
    """List your invoices and credit notes, the newest first."""

    permission_classes = [PapersFace]


class ClientStatementList(_Statements):
    """List your monthly statements, the newest first."""

    permission_classes = [PapersFace]


@extend_schema(parameters=[PapersQuerySerializer])
class AdminPaymentList(_Payments):
    """List all payments, the newest first."""

    permission_classes = [FinanceFace]


@extend_schema(parameters=[PapersQuerySerializer])
class AdminInvoiceList(_Invoices):
    """List all invoices and credit notes, the newest first."""

    permission_classes = [FinanceFace]


@extend_schema(parameters=[PapersQuerySerializer])
class AdminStatementList(_Statements):
    """List all monthly statements, the newest first."""

    permission_classes = [FinanceFace]


@extend_schema(parameters=[PapersQuerySerializer])
class AdminWalletList(generics.ListAPIView[Wallet]):
    """List the credits and prices of all clients, the newest account first."""

    permission_classes = [FinanceFace]
    serializer_class = WalletRowSerializer
    pagination_class = NewestFirst
    queryset = Wallet.objects.all()

    def get_queryset(self) -> QuerySet[Wallet]:
        asked = PapersQuerySerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return super().get_queryset().filter(**asked.validated_data)
