"""Addresses of the webhooks room; Retell's own address is in front of Django (`intake.py`)."""

from __future__ import annotations

from django.urls import URLPattern, path

from webhooks.views import corrections, endpoints, metrics, monitor, replays

_ENDPOINT = "webhooks/<uuid:endpoint_id>/"

client_face: tuple[list[URLPattern], str] = (
    [
        path("calls/<uuid:call_id>/outcome/", corrections.call_outcome, name="call-outcome"),
        path("webhooks/", endpoints.endpoint_list, name="endpoint-list"),
        path("webhooks/new/", endpoints.endpoint_create, name="endpoint-create"),
        path(_ENDPOINT, endpoints.endpoint_detail, name="endpoint-detail"),
        path(f"{_ENDPOINT}change/", endpoints.endpoint_change, name="endpoint-change"),
        path(f"{_ENDPOINT}remove/", endpoints.endpoint_remove, name="endpoint-remove"),
        path(f"{_ENDPOINT}rotate/", endpoints.endpoint_rotate, name="endpoint-rotate"),
        path(f"{_ENDPOINT}resend/", endpoints.endpoint_resend, name="endpoint-resend"),
        path(f"{_ENDPOINT}test/", endpoints.endpoint_test, name="endpoint-test"),
        path(
            "webhooks/deliveries/<uuid:delivery_id>/",
            endpoints.delivery_detail,
            name="delivery-detail",
        ),
        path(
            "webhooks/deliveries/<uuid:delivery_id>/replay/",
            endpoints.delivery_replay,
            name="delivery-replay",
        ),
    ],
    "webhooks",
)
agency_face: tuple[list[URLPattern], str] = (
    [
        path("webhooks/", monitor.monitor, name="monitor"),
        path("webhooks/figures/", monitor.monitor_figures, name="monitor-figures"),
        path("webhooks/replays/", replays.replay_list, name="replay-list"),
        path("webhooks/replays/<uuid:replay_id>/", replays.replay_detail, name="replay-detail"),
        path("webhooks/<uuid:event_id>/", monitor.event_detail, name="event-detail"),
        path("webhooks/<uuid:event_id>/replay/", monitor.event_replay, name="event-replay"),
        path(
            "webhooks/<uuid:event_id>/set-aside/", monitor.event_set_aside, name="event-set-aside"
        ),
        path("webhooks/<uuid:event_id>/compare/", replays.event_compare, name="event-compare"),
    ],
    "agency-webhooks",
)
# For machines, by a token of their own.
probes: list[URLPattern] = [path("metrics", metrics.metrics, name="metrics")]
