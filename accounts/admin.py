"""Clients, people and notifications in the back office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.contrib.auth.forms import ReadOnlyPasswordHashField
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action

from accounts.models import ActingSession, ApiKey, Client, ClientEvent, Notification, User
from accounts.services import (
    activate_client,
    change_client,
    deactivate_client,
    forget_other_addresses,
    is_name_taken,
    remove_second_factor,
)
from audit import actions
from audit.services import record
from convomono.lib import clock, live
from convomono.lib.back_office import ReadOnlyAdmin, RecordAdmin

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

admin.site.unregister(Group)  # rights are columns of the person, there are no groups
admin.site.unregister(EmailAddress)  # a person has one address: it stands with the person
admin.site.unregister(
    Authenticator
)  # nobody gives somebody else a second factor, or reads its seed


class ClientForm(ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """A client's particulars, refused where the agency's own page would refuse them."""

    class Meta:
        model = Client
        fields = ["name", "contact_email", "time_zone", "concurrency_limit", "note"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if is_name_taken(name, besides=self.instance):
            raise ValidationError(_("Another client has this name."))
        return name


@admin.register(Client)
class ClientAdmin(ModelAdmin):
    """Clients in a table; accounts are opened on the agency's pages."""

    form = ClientForm
    list_display = ["name", "status", "contact_email", "time_zone", "concurrency_limit"]
    list_filter = ["status"]
    search_fields = ["name", "contact_email"]
    readonly_fields = ["status", "created_at"]
    ordering = ["name"]
    actions = ["activate", "deactivate"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: Any) -> None:
        before = Client.objects.get(pk=obj.pk)
        change_client(
            client=before,
            name=obj.name,
            time_zone=obj.time_zone,
            contact_email=obj.contact_email,
            concurrency_limit=obj.concurrency_limit,
            actor=_actor(request),
            now=clock.now(),
        )
        Client.objects.filter(pk=obj.pk).update(note=obj.note)

    @action(  # type: ignore[untyped-decorator]  # unfold ships no types
        description=_("Activate the chosen clients"), permissions=["change"]
    )
    def activate(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        done = [
            activate_client(client=client, actor=_actor(request), now=clock.now())
            for client in queryset
        ]
        self.message_user(request, _("Activated %(count)d clients.") % {"count": sum(done)})

    @action(  # type: ignore[untyped-decorator]  # unfold ships no types
        description=_("Deactivate the chosen clients"), permissions=["change"]
    )
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Client]) -> None:
        done = [
            deactivate_client(client=client, actor=_actor(request), now=clock.now())
            for client in queryset
        ]
        self.message_user(request, _("Deactivated %(count)d clients.") % {"count": sum(done)})


class UserChangeForm(ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    """A person without their password: they set it by e-mail."""

    password = ReadOnlyPasswordHashField(label=_("Password"))

    class Meta:
        model = User
        fields = [
            "email",
            "name",
            "password",
            "role",
            "client",
            "client_role",
            "can_launch",
            "manage_clients",
            "manage_campaigns",
            "manage_phone_numbers",
            "manage_billing",
            "view_finance",
            "is_active",
        ]

    def clean(self) -> dict[str, Any]:
        """Keep one super admin who can sign in, so that the agency isn't locked out of itself."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        stays = cleaned.get("role") == User.Role.SUPER_ADMIN and cleaned.get("is_active")
        supers = User.objects.filter(role=User.Role.SUPER_ADMIN, is_active=True)
        goes = self.initial.get("role") == User.Role.SUPER_ADMIN and not stays
        if goes and not supers.exclude(pk=self.instance.pk).exists():
            raise ValidationError(_("This is the last super admin. Name another one first."))
        return cleaned


@admin.register(User)
class UserAdmin(ModelAdmin):
    """Everybody who signs in; for super admins alone, because it grants rights."""

    form = UserChangeForm
    list_display = ["email", "name", "role", "client", "client_role", "can_launch", "is_active"]
    list_filter = ["role", "client_role", "is_active"]
    list_select_related = ["client"]
    search_fields = ["email", "name"]
    readonly_fields = ["last_login", "created_at"]
    autocomplete_fields = ["client"]
    ordering = ["email"]
    actions = ["remove_second_factors"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_super_admin(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_super_admin(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_super_admin(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_super_admin(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @action(  # type: ignore[untyped-decorator]  # unfold ships no types
        description=_("Remove the second factor of the chosen people"), permissions=["change"]
    )
    def remove_second_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        done = [
            remove_second_factor(user=user, actor=_actor(request), now=clock.now())
            for user in queryset
        ]
        said = _("Removed the second factor of %(count)d people.") % {"count": sum(done)}
        self.message_user(request, said)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        obj.email = obj.email.lower()
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
        forget_other_addresses(obj)
        live.access_changed()  # what they have open is judged anew
        record(
            actions.USER_CHANGED if change else actions.USER_ADDED,
            resource=obj,
            actor=_actor(request),
            now=clock.now(),
            details={
                name: {"before": _plain(form.initial.get(name)), "after": _plain(value)}
                for name, value in form.cleaned_data.items()
                if name in form.changed_data
            },
        )


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """What the product told whom."""

    list_display = ["created_at", "client", "level", "title", "read_at"]
    list_filter = ["level"]
    list_select_related = ["client"]
    search_fields = ["title", "body"]
    ordering = ["-created_at", "pk"]


class _ForSuperAdmins(RecordAdmin):
    """Who acted as whom, with what a program gets in, and what clients' systems are told."""

    list_select_related = ["client"]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_super_admin(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_super_admin(request)


@admin.register(ApiKey)
class ApiKeyAdmin(_ForSuperAdmins):
    """Keys of clients" programs, without what a secret could be tried against."""

    list_display = [
        "name",
        "client",
        "scope",
        "prefix",
        "created_by_email",
        "last_used_at",
        "expires_at",
        "revoked_at",
    ]
    list_filter = ["scope"]
    search_fields = ["name", "prefix", "client__name", "created_by_email"]
    exclude = ["secret_hash"]


@admin.register(ActingSession)
class ActingSessionAdmin(_ForSuperAdmins):
    """When somebody of the agency worked as a client, and why."""

    list_display = ["started_at", "user", "client", "acted_for", "reason", "ended_at"]
    list_select_related = ["user", "client", "acted_for"]
    search_fields = ["user__email", "client__name", "acted_for__email", "reason"]


@admin.register(ClientEvent)
class ClientEventAdmin(_ForSuperAdmins):
    """What happened at clients, for their own systems to hear of."""

    list_display = ["created_at", "client", "kind", "key", "routed_at"]
    list_filter = ["kind"]
    search_fields = ["key", "client__name"]


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | None) else str(getattr(value, "pk", value))


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _is_super_admin(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_active and request.user.is_superuser
