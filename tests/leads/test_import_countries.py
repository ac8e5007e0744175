"""What people write in a column of countries, and the country a client's numbers are read in at first."""

from __future__ import annotations

from zoneinfo import available_timezones

import phonenumbers  # noqa: TID251  # every country that has numbers is one that a file may name
import pytest

from leads.forms.consent import COUNTRIES
from leads.imports.countries import country_of, country_of_zone, country_said
from leads.models import Lead
from tests.factories.leads import upload


@pytest.mark.parametrize(
    ("said", "country"),
    [
        *((one, "US") for one in ("U.S.", "usa ", "U.S.A.", "United States (US)", "the United States")),
        *((one, "US") for one in ("US - United States", "US-United States", "1", "+1", "001", "US-CA")),
        *((one, "GB") for one in ("GBR", "UK", "U.K.", "The United Kingdom", "+44", "0044", "44", "44.0")),
        *((one, "GB") for one in ("+44 (UK)", "UK +44", "England")),
        *((one, "DE") for one in ("DEU", "D", "Deutschland", "DE - Germany", "Federal Republic of Germany")),
        *((("+1 (Canada)", "CA"), ("Japan", "JP"), ("China", "CN"), ("Greece", "GR"), ("Turkey", "TR"))),
        *((("Türkiye", "TR"), ("España", "ES"), ("Espana", "ES"), ("Italia", "IT"), ("Schweiz", "CH"))),
        *((("Österreich", "AT"), ("Oesterreich", "AT"), ("Nederland", "NL"), ("Brasil", "BR"))),
        *((("México", "MX"), ("Korea, Republic of", "KR"), ("Republic of Kenya", "KE"), ("Россия", "RU"))),
    ],
)  # fmt: skip
def test_knows_a_country_however_it_is_written(said, country):
    assert country_said(said) == country


@pytest.mark.parametrize(
    "said", ["N/A", "n/a", "-", "--", "?", "Unknown", "none", "NULL", "nil", "#N/A", "n.a.", " "]
)
def test_takes_a_word_for_nothing_as_an_empty_cell(said):
    assert (country_said(said), country_of(said)) == ("", "ZZ")


@pytest.mark.parametrize(
    "said", ["Narnia", "US - Canada", "New York, NY", "+999", "+44 (France)", "Wilmington, DE", "0"]
)
def test_takes_no_country_where_none_or_two_are_named(said):
    assert country_said(said) == "ZZ"


def test_takes_no_bare_number_for_a_country_where_columns_are_guessed():
    assert [country_of(one) for one in ("44", "0044", "1", "+44")] == ["ZZ", "ZZ", "ZZ", "GB"]


def test_knows_all_countries_that_have_numbers_by_their_names():
    names = {country_of(code) for code in phonenumbers.SUPPORTED_REGIONS}
    assert names == set(phonenumbers.SUPPORTED_REGIONS)


def test_reads_good_numbers_whose_country_is_said_in_other_words(imported):
    done = imported(
        "name,phone,country\n"
        "A,212-736-5001,N/A\nB,212-736-5002,U.S.\nC,212-736-5003,United States (US)\n"
        "D,03-3210-7000,Japan\nE,0171 2345678,DEU\nF,020 7946 0018,The United Kingdom\n"
        "G,210 1234567,Greece\nH,212-736-5004,1\nI,0212 251 10 10,Turkey\nJ,+81 3 3210 7001,Narnia\n"
        "K,212-736-5005,Narnia\n"
    )

    assert done.counts == {"new": 10, "phone_unknown_country": 1}
    assert set(Lead.objects.values_list("phone_number", flat=True)) >= {
        *("+12127365001", "+12127365002", "+12127365003", "+81332107000", "+491712345678"),
        *("+442079460018", "+302101234567", "+12127365004", "+902122511010", "+81332107001"),
    }


def test_knows_the_country_of_every_time_zone_that_has_one():
    zones = ("Europe/Rome", "Asia/Kolkata", "Asia/Calcutta", "US/Eastern", "Europe/Oslo", "UTC")

    assert [country_of_zone(zone) for zone in zones] == ["IT", "IN", "IN", "US", "NO", ""]
    placed = {one for one in available_timezones() if one.split("/")[0] in {"Europe", "America"}}
    assert [one for one in placed if not country_of_zone(one)] == []


def _in_italy(client) -> None:
    type(client).objects.filter(pk=client.pk).update(time_zone="Europe/Rome")
    client.refresh_from_db()


def test_reads_a_first_file_in_the_country_where_the_client_is(alice, acme, browse):
    _in_italy(acme)
    alice.refresh_from_db()
    row = upload(alice, "cognome,cellulare\nBob,347 223 4567\nCid,339 323 4567\n")

    assert row.options["country"] == "IT"
    assert '<option value="IT" selected' in browse(alice).get(f"/app/imports/{row.pk}/").text


def test_reads_a_file_in_the_country_of_the_last_one_that_was_imported(imported, alice, acme):
    _in_italy(acme)
    alice.refresh_from_db()
    imported("name,phone\nAda,020 7946 0018\n", country="GB")
    imported("name,phone\nAda,2125550101\n", country="US", commit=False)

    assert upload(alice, "other,columns\nBob,020 7946 0019\n").options["country"] == "GB"


def test_reads_numbers_of_a_client_that_is_nowhere_as_american_ones(alice, acme):
    type(acme).objects.filter(pk=acme.pk).update(time_zone="UTC")
    alice.refresh_from_db()

    assert upload(alice, "name,phone\nAda,2125550101\n").options["country"] == "US"


@pytest.mark.parametrize(("said", "number"), [({}, "+393472234567"), ({"country": "US"}, "")])
def test_reads_what_a_program_sends_in_the_same_country_unless_it_says_another(
    browse, mia, acme, run_jobs, django_capture_on_commit_callbacks, said, number
):
    _in_italy(acme)
    sent = {"csv": "name,phone\nBob,347 223 4567\n", "consent_kind": "none", "dry_run": False}
    with django_capture_on_commit_callbacks(execute=True):
        answer = browse(mia).post(
            "/api/v1/client/imports/", sent | said, content_type="application/json"
        )
    assert answer.status_code == 202
    run_jobs()

    assert [lead.phone_number for lead in Lead.objects.all()] == [number or "+13472234567"]


def test_offers_every_country_that_has_numbers():
    codes = [code for code, _name in COUNTRIES]

    assert len(codes) == len(set(codes))
    assert {"JP", "GR", "TR", "US"} <= set(codes)
    assert set(phonenumbers.SUPPORTED_REGIONS) - set(codes) <= {"AC", "TA"}
