"""Addresses of the telephony room."""

from __future__ import annotations

from django.urls import URLPattern, path

from telephony.views import numbers, purchases, recordings

client_face: tuple[list[URLPattern], str] = (
    [
        path("calls/<uuid:call_id>/recording/", recordings.call_recording, name="call-recording"),
        path("recordings/<str:token>/", recordings.recording_file, name="recording-file"),
    ],
    "telephony",
)
agency_face: tuple[list[URLPattern], str] = (
    [
        path("numbers/", numbers.number_list, name="number-list"),
        path("numbers/add/", numbers.number_add, name="number-add"),
        path("numbers/buy/", purchases.number_buy, name="number-buy"),
        path("numbers/buy/twilio/", purchases.number_buy_twilio, name="number-buy-twilio"),
        path(
            "numbers/orders/<uuid:order_id>/give-up/",
            purchases.order_give_up,
            name="number-order-give-up",
        ),
        path("numbers/<uuid:number_id>/", numbers.number_detail, name="number-detail"),
        path("numbers/<uuid:number_id>/limits/", numbers.number_limits, name="number-limits"),
        path("numbers/<uuid:number_id>/wake/", numbers.number_wake, name="number-wake"),
        path("numbers/<uuid:number_id>/assign/", numbers.number_assign, name="number-assign"),
        path("numbers/<uuid:number_id>/release/", numbers.number_release, name="number-release"),
    ],
    "agency-telephony",
)
