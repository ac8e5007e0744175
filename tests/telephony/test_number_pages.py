"""The agency's pages and API about numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from convomono.lib.ids import uuid7
from telephony.models import CallDetail, PhoneNumber
from telephony.provider import Rejected, UnknownOutcome
from telephony.views import purchases as views
from tests.factories.telephony import CallFactory, PhoneNumberFactory
from tests.fakes import FakeRetell

if TYPE_CHECKING:
    from accounts.models import Client, User

LIST = "/agency/numbers/"
API = "/api/v1/admin/phone-numbers/"
PURCHASE = {"area_code": "415", "nickname": "", "is_agreed": "on"}


@pytest.fixture
def keeper(bob: User) -> User:
    """Bob with the permission that numbers need."""
    bob.manage_phone_numbers = True
    bob.save()
    return bob


@pytest.fixture
def retell(monkeypatch: pytest.MonkeyPatch) -> FakeRetell:
    fake = FakeRetell()
    monkeypatch.setattr(views, "retell_gateway", lambda: fake)
    return fake


@pytest.fixture
def number(acme: Client) -> PhoneNumber:
    return PhoneNumberFactory.create(phone_number="+14155550142", client=acme)


def addresses(number: PhoneNumber) -> list[str]:
    return [LIST, f"{LIST}add/", f"{LIST}buy/", f"{LIST}{number.pk}/"]


def changes(number: PhoneNumber) -> list[str]:
    return [f"{LIST}{number.pk}/assign/", f"{LIST}{number.pk}/release/"]


class TestPages:
    def test_open_for_the_keeper_of_numbers(self, browse, keeper, number):
        browser = browse(keeper)
        for address in addresses(number):
            assert browser.get(address).status_code == 200, address

    def test_need_the_permission(self, browse, bob, alice, number):
        for person in (bob, alice):
            browser = browse(person)
            for address in addresses(number):
                assert browser.get(address).status_code == 403, address
            for address in changes(number):
                assert browser.post(address).status_code == 403, address

    def test_need_a_sign_in(self, browse, number):
        for address in addresses(number):
            assert browse().get(address).status_code == 302, address

    def test_are_changed_by_posts_alone(self, browse, keeper, number):
        for address in changes(number):
            assert browse(keeper).get(address).status_code == 405

    def test_answer_404_for_a_number_that_is_not_there(self, browse, keeper):
        assert browse(keeper).get(f"{LIST}{uuid7()}/").status_code == 404


class TestList:
    def test_shows_whose_a_number_is(self, browse, keeper, number):
        page = browse(keeper).get(LIST).content.decode()
        assert "+1 415-555-0142" in page
        assert "Acme Dental" in page

    @pytest.mark.parametrize(("state", "shown"), [("active", True), ("ready", False)])
    def test_is_narrowed_by_state(self, browse, keeper, number, state, shown):
        page = browse(keeper).get(LIST, {"state": state}).content.decode()
        assert ("0142" in page) is shown

    def test_finds_by_digits(self, browse, keeper, number):
        assert "0142" in browse(keeper).get(LIST, {"q": "0142"}).content.decode()
        assert "0142" not in browse(keeper).get(LIST, {"q": "999"}).content.decode()[5000:]

    def test_is_a_fragment_for_htmx(self, browse, keeper, number):
        answer = browse(keeper).get(LIST, headers={"HX-Request": "true"})
        assert answer.content.decode().strip().startswith("<section")

    def test_asks_as_much_for_20_rows_as_for_one(
        self, browse, keeper, number, acme, django_assert_num_queries
    ):
        browser = browse(keeper)
        browser.get(LIST)
        with django_assert_num_queries(5):
            browser.get(LIST)
        PhoneNumberFactory.create_batch(20, client=acme)
        with django_assert_num_queries(5):
            browser.get(LIST)


class TestChanges:
    def test_add_a_number(self, browse, keeper):
        form = {
            "phone_number": "(415) 555-0143",
            "provider": "retell-twilio",
            "type": "local",
            "nickname": "Front desk",
        }
        answer = browse(keeper).post(f"{LIST}add/", form)
        number = PhoneNumber.objects.get()
        assert answer.url == f"{LIST}{number.pk}/"
        assert number.phone_number == "+14155550143"

    @pytest.mark.django_db(transaction=True)
    def test_refuse_what_is_no_number_or_there_already(self, browse, keeper, number):
        form = {"provider": "retell-twilio", "type": "local"}
        for text in ("12", "+14155550142"):
            answer = browse(keeper).post(f"{LIST}add/", form | {"phone_number": text})
            assert answer.status_code == 422
        assert PhoneNumber.objects.count() == 1

    def test_lend_a_number(self, browse, keeper, number, rival):
        browse(keeper).post(f"{LIST}{number.pk}/assign/", {"client": str(rival.pk)})
        number.refresh_from_db()
        assert number.client_id == rival.pk

    def test_refuse_a_client_that_is_not_there(self, browse, keeper, number):
        answer = browse(keeper).post(f"{LIST}{number.pk}/assign/", {"client": str(uuid7())})
        assert answer.status_code == 422

    def test_release_a_number(self, browse, keeper, number):
        browse(keeper).post(f"{LIST}{number.pk}/release/")
        number.refresh_from_db()
        assert not number.is_active


@pytest.mark.django_db(transaction=True)
class TestBuying:
    def test_buys_one_number_when_the_button_is_pressed_twice(self, browse, keeper, retell):
        form = PURCHASE | {"key": str(uuid7())}
        for _ in range(2):
            assert browse(keeper).post(f"{LIST}buy/", form).status_code == 302
        assert len(retell.numbers) == 1

    def test_asks_for_agreement(self, browse, keeper, retell):
        answer = browse(keeper).post(f"{LIST}buy/", {"key": str(uuid7())})
        assert answer.status_code == 422
        assert not retell.asked

    def test_says_why_nothing_was_sold(self, browse, keeper, retell):
        retell.fail("create_phone_number", Rejected("No numbers in 415.", 400))
        key = str(uuid7())
        answer = browse(keeper).post(f"{LIST}buy/", PURCHASE | {"key": key})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "No numbers in 415." in page
        assert key not in page  # the next try is another purchase

    def test_shows_a_purchase_whose_answer_was_lost(self, browse, keeper, retell):
        retell.fail("create_phone_number", UnknownOutcome("Timed out."))
        browse(keeper).post(f"{LIST}buy/", PURCHASE | {"key": str(uuid7())})
        assert "Purchases to look into" in browse(keeper).get(LIST).content.decode()


class TestApi:
    def test_lists_numbers_in_the_seeds_names(self, browse, keeper, number, acme):
        rows = browse(keeper).get(API).json()
        rows = rows if isinstance(rows, list) else rows["results"]
        assert rows[0]["phone_number"] == "+14155550142"
        assert rows[0]["assigned_client_id"] == str(acme.pk)
        assert rows[0]["is_active"] is True

    def test_adds_lends_and_releases(self, browse, keeper, acme):
        browser = browse(keeper)
        made = browser.post(API, {"phone_number": "+14155550144"}, content_type="application/json")
        assert made.status_code == 201, made.content
        address = f"{API}{made.json()['phone_number_id']}/"
        lent = browser.patch(
            address, {"assigned_client_id": str(acme.pk)}, content_type="application/json"
        )
        assert lent.json()["assigned_client_id"] == str(acme.pk)
        assert browser.delete(address).status_code == 204
        assert browser.get(address).json()["is_active"] is False
        again = browser.patch(
            address, {"assigned_client_id": None}, content_type="application/json"
        )
        assert again.status_code == 409

    def test_answers_with_a_problem(self, browse, keeper):
        answer = browse(keeper).post(API, {"phone_number": "x"}, content_type="application/json")
        assert answer.status_code == 400
        assert "phone_number" in answer.json()["fields"]

    def test_needs_the_permission(self, browse, bob, alice, number):
        for person in (bob, alice):
            assert browse(person).get(API).status_code == 403
            assert browse(person).delete(f"{API}{number.pk}/").status_code == 403
        assert browse().get(API).status_code in {401, 403}


# The pinned unfold overrides get_action_choices() without Django 6.1's new parameter.
OF_UNFOLD = pytest.mark.filterwarnings("ignore:Overriding get_action_choices")


@OF_UNFOLD
@pytest.mark.parametrize(
    "model", ["phonenumber", "voiceagent", "call", "calldetail", "numberorder"]
)
def test_stands_in_the_back_office(browse, root, number, model):
    assert browse(root).get(f"/admin/telephony/{model}/").status_code == 200


def test_opens_in_the_back_office(browse, root, number):
    assert browse(root).get(f"/admin/telephony/phonenumber/{number.pk}/change/").status_code == 200


@OF_UNFOLD
def test_shows_calls_to_who_manages_campaigns_and_their_cost_to_who_sees_finances(
    browse, bob, root, acme
):
    call = CallFactory.create(client=acme, retell_cost_micros=987_654)
    CallDetail.objects.create(call=call, transcript="canary")
    bob.manage_phone_numbers = True
    bob.save()
    pages = [f"/admin/telephony/call/{call.pk}/change/"]
    pages.append(f"/admin/telephony/calldetail/{call.detail.pk}/change/")
    for page in pages:
        assert browse(bob).get(page).status_code == 403
    bob.manage_campaigns = True
    bob.save()
    text = "".join(browse(bob).get(page).content.decode() for page in pages)
    assert "canary" in text
    assert "cost" not in text.lower().replace("client cost", "")
    bob.view_finance = True
    bob.save()
    assert "987654" in browse(bob).get(pages[0]).content.decode().replace(",", "")


@OF_UNFOLD
def test_changes_no_number_in_the_back_office(browse, root, number):
    typed = {"nickname": "x", "rent_micros": "1", "daily_cap": "1"}
    page = f"/admin/telephony/phonenumber/{number.pk}/change/"
    assert browse(root).post(page, typed).status_code == 403
