"""Clients, people and notifications in the back office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.forms import ReadOnlyPasswordHashField
from django.contrib.auth.models import Group
from django.forms import ModelForm
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action

from accounts.models import Client, Notification, User
from accounts.services import activate_client, deactivate_client
from audit import actions
from audit.services import record
from convomono.lib import clock
from convomono.lib.back_office import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

admin.site.unregister(Group)  # rights are columns of the person, there are no groups


@admin.register(Client)
class ClientAdmin(ModelAdmin):
    """Clients in a table; accounts are opened and changed on the agency's pages."""

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
        super().save_model(request, obj, form, change)
        details = {"fields": form.changed_data}
        record(
            actions.CLIENT_CHANGED,
            resource=obj,
            actor=_actor(request),
            now=clock.now(),
            details=details,
        )

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

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        obj.email = obj.email.lower()
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
        record(
            actions.USER_CHANGED if change else actions.USER_ADDED,
            resource=obj,
            actor=_actor(request),
            now=clock.now(),
            details={"fields": form.changed_data},
        )


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """What the product told whom."""

    list_display = ["created_at", "client", "level", "title", "read_at"]
    list_filter = ["level"]
    list_select_related = ["client"]
    search_fields = ["title", "body"]
    ordering = ["-created_at", "pk"]


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _is_super_admin(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_active and request.user.is_superuser
