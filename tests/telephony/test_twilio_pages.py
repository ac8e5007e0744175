"""The agency's pages about numbers at Twilio."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from convomono.lib import clock
from convomono.lib.ids import uuid7
from telephony.models import NumberOrder, PhoneNumber
from telephony.provider import RateLimited, Rejected, Unavailable, UnknownOutcome
from telephony.views import numbers, purchases
from tests.factories.telephony import PhoneNumberFactory
from tests.fakes import FakeRetell
from tests.telephony.fake_twilio import FakeTwilio

if TYPE_CHECKING:
    from accounts.models import User

LIST = "/agency/numbers/"
BUY = f"{LIST}buy/"
SHELF = f"{BUY}twilio/"
FOUND = f"{SHELF}?country=US&type=local&area_code=415"
NUMBER = "+14155550100"


@pytest.fixture
def keeper(bob: User) -> User:
    """Bob with the permission that numbers need."""
    bob.manage_phone_numbers = True
    bob.save()
    return bob


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> FakeTwilio:
    """A Twilio that is set up."""
    fake = FakeTwilio()
    monkeypatch.setattr(purchases, "find_twilio_gateway", lambda: fake)
    for module in (numbers, purchases):
        monkeypatch.setattr(module, "missing_settings", list)
    return fake


@pytest.fixture
def retell(monkeypatch: pytest.MonkeyPatch) -> FakeRetell:
    fake = FakeRetell()
    monkeypatch.setattr(purchases, "retell_gateway", lambda: fake)
    return fake


def purchase(**changed: str) -> dict[str, str]:
    whole = {"phone_number": NUMBER, "nickname": "Desk", "is_agreed": "on", "key": str(uuid7())}
    return whole | changed


def paid(**columns: object) -> NumberOrder:
    """An order that hangs between Twilio and Retell."""
    whole: dict[str, object] = {
        "key": uuid7(),
        "carrier": "twilio",
        "status": "paid",
        "phone_number": NUMBER,
        "provider_number_id": "PN1",
        "error": "The trunk isn't there.",
        "sent_nickname": "Desk 1",
        "created_at": clock.now() - timedelta(hours=1),
    }
    return NumberOrder.objects.create(**whole | columns)


class TestGates:
    def test_need_a_sign_in_and_the_permission(self, browse, bob, alice, twilio):
        up = f"{LIST}orders/{paid().pk}/give-up/"
        assert browse().get(SHELF).status_code == 302
        for person in (bob, alice):
            assert browse(person).get(SHELF).status_code == 403
            assert browse(person).post(SHELF, purchase()).status_code == 403
            assert browse(person).post(up).status_code == 403
        assert twilio.asked == []

    def test_answer_the_right_verbs_for_what_is_there(self, browse, keeper):
        browser = browse(keeper)
        assert browser.get(f"{LIST}orders/{paid().pk}/give-up/").status_code == 405
        assert browser.post(f"{LIST}orders/{uuid7()}/give-up/").status_code == 404
        assert browser.put(SHELF).status_code == 405


class TestSetUp:
    def test_offers_nothing_without_it_and_says_what_is_missing(self, browse, keeper, settings):
        settings.TWILIO_ACCOUNT_SID, settings.SANDBOX = "AC1", False
        page = browse(keeper).get(BUY).content.decode()
        assert "From Twilio" not in page
        assert "TWILIO_AUTH_TOKEN, TWILIO_TRUNK_SID, TWILIO_TERMINATION_URI." in page
        assert browse(keeper).get(SHELF).url == BUY

    def test_offers_both_with_it(self, browse, keeper, twilio):
        for address in (BUY, SHELF):
            page = browse(keeper).get(address).content.decode()
            assert "From Retell" in page and "From Twilio" in page
            assert "Missing in the environment" not in page
        assert twilio.asked == []  # nobody searched


class TestSearch:
    def test_shows_what_there_is_and_what_it_costs(self, browse, keeper, twilio):
        page = browse(keeper).get(FOUND).content.decode()
        assert "+1 415-555-0100" in page and "San Francisco" in page
        assert "Each costs $1.15 a month." in page

    def test_says_that_the_price_is_not_known(self, browse, keeper, twilio):
        twilio.fail("monthly_price", Unavailable("x"))
        page = browse(keeper).get(FOUND).content.decode()
        assert "say what they cost" in page and "+1 415-555-0100" in page

    @pytest.mark.parametrize("wanted", ["type=local&area_code=533", "type=mobile"])
    def test_says_that_there_is_none(self, browse, keeper, twilio, wanted):
        page = browse(keeper).get(f"{SHELF}?country=us&{wanted}").content.decode()
        assert "Twilio has no such number" in page
        assert "Buy 1 number" not in page

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (Unavailable("x"), "be reached just now"),
            (RateLimited("x", 4), "Try again in 4 s."),
            (Rejected("The account is suspended.", 403), "The account is suspended."),
        ],
    )
    def test_says_what_went_wrong(self, browse, keeper, twilio, error, said):
        twilio.fail("search_numbers", error)
        assert said in browse(keeper).get(FOUND).content.decode()

    @pytest.mark.parametrize(
        "wanted",
        [
            "country=USA&type=local",
            "country=..&type=local",
            "country=US&type=fax",
            "country=US&type=local&area_code=12",
            "country=GB&type=local&area_code=415",
        ],
    )
    def test_asks_nothing_that_makes_no_sense(self, browse, keeper, twilio, wanted):
        assert browse(keeper).get(f"{SHELF}?{wanted}").status_code == 422
        assert twilio.asked == []


class TestBuying:
    def test_buys_one_number_when_the_button_is_pressed_twice(self, browse, keeper, twilio, retell):
        form = purchase()
        for _ in range(2):
            answer = browse(keeper).post(FOUND, form, follow=True)
            assert "+1 415-555-0100 is bought and in stock." in answer.content.decode()
        assert len(twilio.owned) == len(retell.numbers) == 1
        number = PhoneNumber.objects.get()
        assert (number.nickname, number.rent_micros) == ("Desk", 1_150_000)

    @pytest.mark.parametrize(
        "wrong",
        [{"is_agreed": ""}, {"phone_number": ""}, {"phone_number": "x+14155550100"}, {"key": "x"}],
    )
    def test_asks_again_what_is_not_whole(self, browse, keeper, twilio, wrong):
        answer = browse(keeper).post(FOUND, purchase(**wrong))
        assert answer.status_code == 422
        assert "This needs another look" in answer.content.decode()
        assert "+1 415-555-0101" in answer.content.decode()  # still there to choose from
        assert not twilio.owned

    def test_buys_nothing_of_an_unknown_kind(self, browse, keeper, twilio):
        assert browse(keeper).post(SHELF, purchase()).status_code == 422
        assert not twilio.owned

    def test_says_why_nothing_was_sold(self, browse, keeper, twilio, retell):
        twilio.fail("buy_number", Rejected("+14155550100 is not available.", 400))
        form = purchase()
        answer = browse(keeper).post(FOUND, form)
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "Twilio sold no number: +14155550100 is not available." in page
        assert form["key"] not in page  # the next try is another purchase

    def test_says_that_the_answer_was_lost(self, browse, keeper, twilio, retell):
        twilio.fail("buy_number", UnknownOutcome("Timed out."))
        page = browse(keeper).post(FOUND, purchase(), follow=True).content.decode()
        assert "Twilio&#x27;s answer was lost, so a number may have been bought." in page
        assert "Purchases to look into" in page

    def test_says_that_retell_does_not_take_it(self, browse, keeper, twilio, retell):
        retell.fail("import_phone_number", Rejected("The trunk is not there.", 400))
        page = browse(keeper).post(FOUND, purchase(), follow=True).content.decode()
        assert "not connected to Retell yet" in page
        assert page.count("The trunk is not there.") == 2  # in the message and beside the order
        assert "Give it back at Twilio" not in page  # not in its first minutes


class TestGivingUp:
    def test_gives_back_a_number_that_hangs(self, browse, keeper, twilio):
        order = paid()
        page = browse(keeper).get(LIST).content.decode()
        assert "call from it yet" in page
        assert "+1 415-555-0100" in page and "Give it back at Twilio" in page
        up = f"{LIST}orders/{order.pk}/give-up/"
        after = browse(keeper).post(up, follow=True).content.decode()
        assert "It is given back at Twilio within minutes." in after
        assert "Being given back at Twilio" in after
        assert "Purchases to look into" not in after
        assert "changed meanwhile" in browse(keeper).post(up, follow=True).content.decode()

    def test_says_why_an_order_is_not_looked_up(self, browse, keeper):
        paid(status="unknown", error="Twilio refuses our key.")
        assert "Twilio refuses our key." in browse(keeper).get(LIST).content.decode()

    def test_says_when_nothing_is_done(self, browse, keeper):
        paid()
        PhoneNumberFactory.create(released_at=clock.now(), give_back_at=clock.now())
        page = browse(keeper).get(LIST).content.decode()
        assert page.count("set up any more") == 2


class TestRelease:
    @pytest.mark.parametrize(
        ("columns", "before", "after"),
        [
            (
                {"provider": "twilio", "provider_number_id": "PN1"},
                "taken out of Retell and given back at Twilio",
                "It is given back at Twilio within minutes",
            ),
            ({"provider": "twilio"}, "bought here", "give it back in Twilio&#x27;s console"),
            ({}, "until you cancel it in Retell", "Cancel its rent in Retell&#x27;s dashboard"),
        ],
    )
    def test_says_what_it_does(self, browse, keeper, twilio, columns, before, after):
        number = PhoneNumberFactory.create(**columns)
        page = f"{LIST}{number.pk}/"
        assert before in browse(keeper).get(page).content.decode()
        assert after in browse(keeper).post(f"{page}release/", follow=True).content.decode()

    def test_promises_nothing_while_twilio_is_not_set_up(self, browse, keeper):
        number = PhoneNumberFactory.create(provider="twilio", provider_number_id="PN1")
        answer = browse(keeper).post(f"{LIST}{number.pk}/release/", follow=True)
        assert "once that is set up again" in answer.content.decode()

    def test_shows_whether_it_is_given_back(self, browse, keeper):
        number = PhoneNumberFactory.create(
            released_at=clock.now(), give_back_at=clock.now(), give_back_error="Not before Monday."
        )
        page = f"{LIST}{number.pk}/"
        assert "rent goes on. Not before Monday." in " ".join(
            browse(keeper).get(page).content.decode().split()
        )
        PhoneNumber.objects.update(give_back_at=None, given_back_at=clock.now())
        text = browse(keeper).get(page).content.decode()
        assert "Given back at Twilio" in text and "rent goes on." not in text
