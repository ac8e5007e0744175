"""Every sentence of the check before a launch, on its page, with the way to put it right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import Rate, Wallet
from campaigns.models import BatchCall, CallingWindow, Campaign, Enrolment
from convomono.lib import clock
from leads.models import Lead
from telephony.models import PhoneNumber
from tests.factories.campaigns import enrol, make_ready

EVERY_DAY = {"opens_minute": 0, "closes_minute": 24 * 60, "weekdays": tuple(range(7))}


def _ready(client, **fields):
    return make_ready(client, **{**EVERY_DAY, **fields})


def not_ready(campaign):
    Campaign.objects.update(status="draft")


def any_hour(campaign):
    CallingWindow.objects.update(is_any_hour=True)
    Lead.objects.update(phone_number="+12125551234")
    Enrolment.objects.update(phone_number="+12125551234")


def never_open(campaign):
    CallingWindow.objects.update(opens_minute=9 * 60, closes_minute=10 * 60)
    Lead.objects.update(time_zone="", zone_candidates=["America/New_York", "Pacific/Honolulu"])


def hours_forbidden(campaign):
    CallingWindow.objects.update(opens_minute=21 * 60 + 30, closes_minute=23 * 60)


def nobody_waits(campaign):
    Enrolment.objects.all().delete()


def nobody_may_be_called(campaign):
    Lead.objects.update(consent_status="revoked")


def variable_unknown(campaign):
    Campaign.objects.update(script_raw="The AI of Acme Dental about {{plan}}.")


def numbers_gone(campaign):
    Campaign.objects.update(caller_numbers=["+13105550100"])


def no_number(campaign):
    PhoneNumber.objects.all().delete()


def no_price(campaign):
    Rate.objects.all().delete()


def no_credits(campaign):
    Wallet.objects.update(available_seconds=10)


BLOCKERS = {
    not_ready: ("The campaign isn't ready", "edit/test/"),
    any_hour: ("“Any hour” is for trials", "edit/hours/"),
    never_open: ("1 lead can never be called", "edit/hours/"),
    hours_forbidden: (
        "1 lead can never be called: the campaign's hours lie outside those that the calling rules",
        "edit/hours/",
    ),
    nobody_waits: ("No lead waits for a launch.", "/app/imports/new/?campaign="),
    nobody_may_be_called: (
        "None of the waiting leads may be called.",
        "/app/imports/new/?campaign=",
    ),
    variable_unknown: ("No lead has a value for {{plan}}.", "edit/script/"),
    numbers_gone: (
        "None of the numbers chosen for this campaign is yours any more.",
        "edit/numbers/",
    ),
    no_number: ("There is no phone number to call from.", "edit/numbers/"),
    no_price: ("No price is agreed yet.", "/app/billing/"),
    no_credits: ("The balance doesn't cover one call.", "/app/billing/"),
}


def _page(browse, person, campaign):
    page = browse(person).get(f"/app/campaigns/{campaign.pk}/launch/").content.decode()
    return page.replace("&#x27;", "'")


@pytest.mark.parametrize("wrong", BLOCKERS, ids=lambda wrong: wrong.__name__)
def test_says_what_stands_in_the_way_and_where_to_mend_it(alice, browse, equipped, wrong):
    campaign = _ready(equipped)
    enrol(campaign, 1)
    assert "Launch 1 lead" in _page(browse, alice, campaign)

    wrong(campaign)

    sentence, fix = BLOCKERS[wrong]
    page = _page(browse, alice, campaign)
    assert sentence in page
    at = page.index(sentence)
    assert fix in page[at : page.index("</li>", at)]
    assert "Launch 1 lead" not in page
    assert not BatchCall.objects.exists()


def some_never_open(campaign):
    CallingWindow.objects.update(opens_minute=9 * 60, closes_minute=10 * 60)
    first = Lead.objects.order_by("pk")[0]
    Lead.objects.filter(pk=first.pk).update(
        time_zone="", zone_candidates=["America/New_York", "Pacific/Honolulu"]
    )


def some_lack_a_value(campaign):
    Campaign.objects.update(script_raw="The AI of Acme Dental about {{plan}}.")
    row = Enrolment.objects.order_by("pk")[0]
    Enrolment.objects.filter(pk=row.pk).update(dynamic_vars={"plan": "gold", "first_name": "Ada"})


def some_did_not_agree(campaign):
    first = Lead.objects.order_by("pk")[0]
    Lead.objects.filter(pk=first.pk).update(consent_status="none")


def numbers_rest(campaign):
    PhoneNumber.objects.update(resting_until=clock.now() + timedelta(hours=1))


def balance_short(campaign):
    Wallet.objects.update(available_seconds=330)


WARNINGS = {
    some_never_open: ("1 lead can never be called", "edit/hours/"),
    some_lack_a_value: ("1 lead has nothing for {{plan}}.", "edit/script/"),
    some_did_not_agree: ("1 lead has not agreed to be called", "/app/imports/new/?campaign="),
    numbers_rest: ("All your phone numbers are resting", "edit/numbers/"),
    balance_short: ("% of what this list may need.", "/app/billing/"),
}


@pytest.mark.parametrize("odd", WARNINGS, ids=lambda odd: odd.__name__)
def test_warns_without_standing_in_the_way(alice, browse, equipped, odd):
    campaign = _ready(equipped)
    enrol(campaign, 2)

    odd(campaign)

    sentence, fix = WARNINGS[odd]
    page = _page(browse, alice, campaign)
    at = page.index(sentence)
    assert fix in page[at : page.index("</li>", at)]
    assert 'data-tone="bad"' not in page
    assert "reserve" in page


def test_shows_what_to_expect_until_the_last_try(alice, browse, equipped):
    campaign = _ready(equipped)
    enrol(campaign, 20)

    page = _page(browse, alice, campaign)

    for told in ("Dials, up to 3", "People who pick up", "4 times out of 5", "The last try ends"):
        assert told in page
