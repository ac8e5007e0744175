"""What people write in a column of countries, and the country a client's numbers are read in at first."""

from __future__ import annotations

from zoneinfo import available_timezones

import phonenumbers  # noqa: TID251  # every country that has numbers is one that a file may name
import pytest

from leads.imports.countries import country_of, country_of_zone, country_said
from leads.models import Lead


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
