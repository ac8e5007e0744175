"""How a voice sounds: fetched from public hosts alone, within limits, for those who write campaigns."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.cache import cache

from campaigns.views import samples, wizard
from convomono.lib.outbound import Answer, Unreachable
from tests.factories.campaigns import make_draft
from tests.fakes import FakeRetell

URL = "/app/voices/11labs-Anna/sample/"


@pytest.fixture(autouse=True)
def sounds(monkeypatch):
    """Voices with samples on a public host."""
    cache.clear()
    fake = FakeRetell()
    voices = tuple(
        replace(one, preview_audio_url=f"https://cdn.example.com/{one.name}.mp3")
        for one in fake.list_voices()
    )
    monkeypatch.setattr(fake, "list_voices", lambda: voices)
    for module in (samples, wizard):
        monkeypatch.setattr(module, "retell_gateway", lambda: fake)
    return fake


def test_plays_a_sample_from_our_own_host(browse, mia, monkeypatch):
    asked = []

    def fetch(url, *, limits, trusted):
        asked.append((url, limits.bytes))
        headers = {"content-type": "audio/mpeg"}
        return Answer(status=200, url=url, headers=headers, body=b"ID3")

    monkeypatch.setattr(samples, "fetch", fetch)

    answer = browse(mia).get(URL)

    assert (answer.content, answer["Content-Type"]) == (b"ID3", "audio/mpeg")
    assert asked == [("https://cdn.example.com/Anna.mp3", 3_000_000)]
    page = browse(mia).get(f"/app/campaigns/{make_draft(mia.client).pk}/edit/voice/")
    assert f'src="{URL}"' in page.content.decode()
    assert "cdn.example.com" not in page.content.decode()


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/x.mp3", "http://cdn.example.com/x.mp3", "file:///etc/passwd"]
)
def test_fetches_from_public_hosts_alone(browse, mia, sounds, monkeypatch, url):
    voices = tuple(replace(one, preview_audio_url=url) for one in sounds.list_voices())
    monkeypatch.setattr(sounds, "list_voices", lambda: voices)

    assert browse(mia).get(URL).status_code == 404


def test_has_no_sample_when_nobody_answers(browse, mia, vera, monkeypatch):
    def fetch(*_args, **_kwargs):
        raise Unreachable("Nobody answers.")

    monkeypatch.setattr(samples, "fetch", fetch)

    assert browse(mia).get(URL).status_code == 404
    assert browse(mia).get("/app/voices/nobody/sample/").status_code == 404
    assert browse(vera).get(URL).status_code == 403
