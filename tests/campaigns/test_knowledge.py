"""Knowledge bases: sources within Retell's limits, versions that never change, sent once, used by choice."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import UploadedFile

from audit.models import AuditLog
from campaigns import jobs
from campaigns.forms.knowledge import FileSourceForm, UrlSourceForm
from campaigns.knowledge_limits import SourceRefused, check_file, room_left
from campaigns.models import Campaign, KnowledgeBase, KnowledgeSource
from campaigns.services import authoring, indexing, knowledge, lifecycle, moving
from campaigns.services.asking import ask_knowledge
from campaigns.views import knowledge as views
from telephony.provider import NotFound, Rejected, Unavailable, UnknownOutcome
from tests.factories.campaigns import NOW, make_draft

MB = 1024 * 1024


def asked(retell, method):
    return [arguments for name, arguments in retell.asked if name == method]


@pytest.fixture
def base(alice):
    """A draft with one of each kind."""
    made = knowledge.create_knowledge(client=alice.client, name="Prices", actor=alice, now=NOW)
    said = {"base": made, "actor": alice, "now": NOW}
    knowledge.add_text(title="Hours", text="Open from 8 to 18.", **said)
    knowledge.add_urls(urls=["https://example.com/prices"], **said)
    knowledge.add_file(
        name="menu.pdf", suffix=".pdf", content=io.BytesIO(b"%PDF-1"), size_bytes=6, **said
    )
    return made


def index(base, alice):
    knowledge.request_index(base=base, auto_refresh=False, actor=alice, now=NOW)
    jobs.index_knowledge(base_id=str(base.pk))
    base.refresh_from_db()
    return base


# -- Limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "head", "words"),
    [
        ("setup.exe", 10, b"MZ", "can't read “.exe” files"),
        ("noextension", 10, b"x", "can't read"),
        ("menu.pdf", 60 * MB, b"%PDF", "60 MB, and Retell takes 50"),
        ("menu.pdf", 0, b"", "is empty"),
        ("menu.pdf", 10, b"PK\x03\x04", "no .pdf file inside"),
        ("notes.txt", 10, b"MZ\x00\x00", "no .txt file inside"),
        ("pic.png", 10, b"GIF8", "no .png file inside"),
        ("menu.pdf.exe", 10, b"%PDF", "can't read “.exe” files"),
        ("../../etc/passwd", 10, b"root", "can't read"),
    ],
)
def test_refuses_files_that_retell_cannot_read(name, size, head, words):
    with pytest.raises(SourceRefused, match=words):
        check_file(name=name, size_bytes=size, head=head)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.pdf", b"%PDF"),
        ("a.DOCX", b"PK\x03\x04"),
        ("a.txt", b"hi"),
        ("a.jpg", b"\xff\xd8\xff\xe0"),
    ],
)
def test_takes_files_that_retell_can_read(name, head):
    check_file(name=name, size_bytes=50 * MB, head=head)


def test_says_how_much_still_fits(base):
    assert room_left(base.sources.all()) == type(room_left([]))(files=24, urls=499, texts=49)


def test_refuses_the_fifty_first_text(alice, base):
    KnowledgeSource.objects.bulk_create(
        KnowledgeSource(
            client=alice.client, knowledge_base=base, kind="text", title="x", created_at=NOW
        )
        for _n in range(49)
    )

    with pytest.raises(knowledge.KnowledgeFull):
        knowledge.add_text(base=base, title="y", text="y", actor=alice, now=NOW)


HOSTILE = [
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:text/html,hi",
    "//example.com",
    "example.com",
    "https://",
    "https:///x",
    "https://localhost/",
    "https://localhost.localdomain/",
    "https://LOCALHOST./",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://100.127.255.254/",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://168.63.129.16/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://metadata.google.internal/",
    "https://metadata.internal/computeMetadata/v1/",
    "https://router.lan/",
    "https://nas.local/",
    "https://intranet/",
    "https://db.corp/",
    "https://service.test/",
    "https://user:pass@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com:22/",
    "https://example.com:6379/",
    "https://example.com\\@127.0.0.1/",
    "https://exa mple.com/",
    "https://127。0。0。1/",
    "https://①②⑦.⓪.⓪.①/",
    "https://" + "a" * 300 + ".com/",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_refuses_hostile_addresses(url):
    form = UrlSourceForm({"urls": f"https://example.com/ok\n{url}"})

    assert not form.is_valid(), url


def test_counts_at_least_sixty_hostile_addresses():
    assert len(set(HOSTILE)) >= 60


# -- Versions --------------------------------------------------------------------------------------


def test_sends_all_sources_once_under_a_marked_name(alice, base, retell):
    index(base, alice)
    jobs.index_knowledge(base_id=str(base.pk))

    [sent] = asked(retell, "create_knowledge_base")
    assert sent["name"] == f"Prices {base.mark}"
    assert len(sent["name"]) < 40
    assert [text.text for text in sent["texts"]] == ["Open from 8 to 18."]
    assert sent["urls"] == ["https://example.com/prices"]
    assert [(file.filename, file.content) for file in sent["files"]] == [("menu.pdf", b"%PDF-1")]
    assert bytes not in retell.pieces  # a document of 50 MB is never in memory whole
    assert base.status == "complete"
    assert not base.sources.exclude(error="").exists()


def test_polls_until_it_is_indexed(
    alice, base, retell, monkeypatch, run_jobs, django_capture_on_commit_callbacks
):
    create = retell.create_knowledge_base
    monkeypatch.setattr(
        retell, "create_knowledge_base", lambda **a: replace(create(**a), status="in_progress")
    )

    assert index(base, alice).status == "indexing"
    with django_capture_on_commit_callbacks(execute=True):
        jobs.resume_campaigns()
    run_jobs()

    base.refresh_from_db()
    assert base.status == "complete"
    assert len(asked(retell, "create_knowledge_base")) == 1


def test_finds_its_base_again_after_a_lost_answer(alice, base, retell, monkeypatch):
    create = retell.create_knowledge_base

    def lose(**arguments):
        create(**arguments)
        raise UnknownOutcome("Timed out.")

    monkeypatch.setattr(retell, "create_knowledge_base", lose)
    assert index(base, alice).status == "indexing"
    monkeypatch.setattr(retell, "create_knowledge_base", create)

    jobs.index_knowledge(base_id=str(base.pk))

    base.refresh_from_db()
    assert base.status == "complete"
    assert len(retell.knowledge_bases) == 1  # no orphan


def test_waits_while_another_worker_may_be_sending(alice, base, retell):
    knowledge.request_index(base=base, auto_refresh=False, actor=alice, now=NOW)
    KnowledgeBase.objects.filter(pk=base.pk).update(sent_at=NOW)
    base.refresh_from_db()

    assert indexing.ensure_indexed(base=base, gateway=retell, now=NOW) == "indexing"
    assert asked(retell, "create_knowledge_base") == []


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Rejected("File is encrypted.", 400), "error", "File is encrypted"),
        (Unavailable("Connection refused."), "indexing", "can't be reached"),
    ],
)
def test_names_what_retell_refuses(alice, base, retell, error, status, words):
    retell.fail("create_knowledge_base", error)

    index(base, alice)

    assert base.status == status
    assert words in base.error
    assert retell.knowledge_bases == {}
    assert index(base, alice).status == "complete"  # fixable: the same button again


def test_cleans_up_what_could_not_be_read(alice, base, retell, monkeypatch):
    create = retell.create_knowledge_base
    monkeypatch.setattr(
        retell,
        "create_knowledge_base",
        lambda **a: replace(create(**a), status="error", errors=("menu.pdf: encrypted",)),
    )

    index(base, alice)

    assert (base.status, base.error, base.provider_id) == ("error", "menu.pdf: encrypted", "")
    assert retell.knowledge_bases == {}


def test_says_which_source_retell_left_out(alice, base, retell, monkeypatch):
    create = retell.create_knowledge_base
    monkeypatch.setattr(
        retell,
        "create_knowledge_base",
        lambda **a: replace(create(**a), source_names=("Hours", "menu.pdf")),
    )

    index(base, alice)

    [left_out] = base.sources.exclude(error="")
    assert left_out.url == "https://example.com/prices"


def test_never_changes_what_was_sent(alice, base, retell):
    index(base, alice)

    with pytest.raises(knowledge.KnowledgeFixed):
        knowledge.add_text(base=base, title="x", text="x", actor=alice, now=NOW)
    with pytest.raises(knowledge.KnowledgeFixed):
        knowledge.remove_source(base=base, source=base.sources.first(), actor=alice, now=NOW)


def test_starts_the_next_version_with_the_same_sources_once(alice, base, retell):
    index(base, alice)

    draft = knowledge.start_version(base=base, actor=alice, now=NOW)
    again = knowledge.start_version(base=base, actor=alice, now=NOW)

    assert draft.pk == again.pk
    assert (draft.number, draft.is_current, draft.status) == (2, False, "draft")
    assert sorted(draft.sources.values_list("title", flat=True)) == sorted(
        base.sources.values_list("title", flat=True)
    )


def test_refuses_to_index_nothing(alice):
    empty = knowledge.create_knowledge(client=alice.client, name="E", actor=alice, now=NOW)

    with pytest.raises(knowledge.KnowledgeEmpty):
        knowledge.request_index(base=empty, auto_refresh=False, actor=alice, now=NOW)


def using(campaign, base, actor):
    content = replace(authoring.content_of(campaign), shared_base_id=base.pk)
    lifecycle.update_campaign(campaign=campaign, content=content, actor=actor, now=NOW)
    lifecycle.prepare_campaign(campaign=campaign, actor=actor, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


def test_shares_a_version_and_moves_campaigns_to_the_next_and_back(alice, base, retell):
    index(base, alice)
    campaign = using(make_draft(alice.client, knowledge_text="Own facts."), base, alice)
    llm_ids = [settings.knowledge_base_ids for settings in retell.llms.values()]
    assert llm_ids[-1] == (campaign.knowledge_base.provider_id, base.provider_id)
    draft = index(knowledge.start_version(base=base, actor=alice, now=NOW), alice)

    moved = moving.use_version(base=draft, actor=alice, now=NOW)
    assert [one.pk for one in moved.campaigns] == [campaign.pk]
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    assert (campaign.status, campaign.published_version) == ("ready", 2)
    assert list(retell.llms.values())[-1].knowledge_base_ids[-1] == draft.provider_id

    moving.use_version(base=base, actor=alice, now=NOW)  # back again
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    assert campaign.shared_base_id == base.pk
    family = KnowledgeBase.objects.filter(family_id=base.family_id, is_current=True)
    assert [one.pk for one in family] == [base.pk]
    assert moving.use_version(base=base, actor=alice, now=NOW).campaigns == []  # twice is once


def test_uses_only_what_is_indexed(alice, base):
    with pytest.raises(knowledge.KnowledgeNotReady):
        moving.use_version(base=base, actor=alice, now=NOW)


def test_puts_away_what_nobody_uses(alice, base, retell):
    index(base, alice)
    campaign = using(make_draft(alice.client), base, alice)
    with pytest.raises(knowledge.KnowledgeInUse):
        knowledge.archive_knowledge(base=base, actor=alice, now=NOW)
    lifecycle.archive_campaign(campaign=campaign, actor=alice, now=NOW)

    knowledge.archive_knowledge(base=base, actor=alice, now=NOW)
    knowledge.archive_knowledge(base=base, actor=alice, now=NOW)
    jobs.retire_knowledge()

    base.refresh_from_db()
    assert (base.status, base.provider_id) == ("retired", "")
    assert retell.knowledge_bases == {}
    assert AuditLog.objects.filter(action="knowledge.archived").count() == 1


def test_keeps_the_newest_three_and_what_somebody_speaks_from(alice, base, retell):
    versions = [index(base, alice)]
    for _n in range(4):
        versions.append(
            index(knowledge.start_version(base=versions[-1], actor=alice, now=NOW), alice)
        )
    moving.use_version(base=versions[-1], actor=alice, now=NOW)

    jobs.retire_knowledge()

    statuses = list(KnowledgeBase.objects.order_by("number").values_list("status", flat=True))
    assert statuses == ["retired", "retired", "complete", "complete", "complete"]
    assert index(versions[0], alice).status == "complete"  # an old one can be had again


def test_takes_old_facts_of_a_campaign_away(alice, retell):
    campaign = make_draft(alice.client, knowledge_text="Old facts.")
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    content = replace(authoring.content_of(campaign), knowledge_text="New facts.")
    lifecycle.update_campaign(campaign=campaign, content=content, actor=alice, now=NOW)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))

    jobs.retire_knowledge()

    assert len(retell.knowledge_bases) == 1


def test_sends_again_what_somebody_deleted_at_retell(alice, base, retell):
    index(base, alice)
    KnowledgeBase.objects.filter(pk=base.pk).update(status="indexing")
    retell.fail("retrieve_knowledge_base", NotFound("Cannot find requested asset.", 422))

    jobs.index_knowledge(base_id=str(base.pk))
    jobs.index_knowledge(base_id=str(base.pk))

    base.refresh_from_db()
    assert base.status == "complete"


def test_asks_a_version_through_an_agent_of_its_own(alice, base, retell):
    index(base, alice)

    first = ask_knowledge(base=base, question="When?", gateway=retell, real_now=NOW)
    ask_knowledge(base=base, question="Where?", gateway=retell, real_now=NOW)

    assert first.text == "Hello!"
    assert len(asked(retell, "create_agent")) == 1
    [settings] = retell.llms.values()
    assert settings.knowledge_base_ids == (base.provider_id,)


# -- Pages -----------------------------------------------------------------------------------------


def test_writes_a_knowledge_base_by_plain_forms(browse, mia, retell, monkeypatch):
    monkeypatch.setattr(views, "retell_gateway", lambda: retell)
    browser = browse(mia)
    assert "No knowledge yet" in browser.get("/app/knowledge/").content.decode()
    url = browser.post("/app/knowledge/new/", {"name": "Prices"})["Location"]
    assert "nothing to index yet" in browser.post(f"{url}index/", follow=True).content.decode()
    browser.post(f"{url}add/text/", {"title": "Hours", "text": "Open from 8."})
    browser.post(f"{url}add/url/", {"urls": "https://example.com/a\nhttps://example.com/b"})
    pdf = io.BytesIO(b"%PDF-1.7")
    pdf.name = "menu.pdf"
    browser.post(f"{url}add/file/", {"file": pdf})
    base = KnowledgeBase.objects.get()
    assert base.sources.count() == 4
    source = base.sources.get(title="Hours")
    browser.post(f"{url}remove/{source.pk}/")

    assert "changes in this version, without another one" in browser.get(url).content.decode()
    browser.post(f"{url}index/", {"auto_refresh": "on"})
    jobs.index_knowledge(base_id=str(base.pk))

    page = browser.get(url).content.decode()
    assert "No campaign uses it yet" in page
    make_draft(mia.client, shared_base_id=base.pk)
    page = browser.get(url).content.decode()
    assert "Campaigns look things up in this version." in page
    answer = browser.post(f"{url}ask/", {"question": "When?"}).content.decode()
    assert "Hello!" in answer
    assert "No passage fits" in answer
    draft = browser.post(f"{url}revise/")["Location"]
    assert "Version 2" in browser.get(draft).content.decode()
    assert "Prices" in browser.get("/app/knowledge/").content.decode()


def test_keeps_what_was_typed_when_it_refuses_a_source(browse, mia, base):
    url = f"/app/knowledge/{base.pk}/add/"
    big = io.BytesIO(b"MZ")
    big.name = "setup.exe"

    hostile = browse(mia).post(f"{url}url/", {"urls": "https://169.254.169.254/"})
    wrong = browse(mia).post(f"{url}file/", {"file": big})

    assert hostile.status_code == wrong.status_code == 422
    assert "169.254.169.254" in hostile.content.decode()
    assert ".exe" in wrong.content.decode()
    assert base.sources.count() == 3


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (495, "5 more addresses fit, and you gave 20: none was added."),
        (499, "1 more address fits, and you gave 20: none was added."),
        (500, "No more addresses fit"),
    ],
)
def test_adds_all_addresses_or_none(browse, mia, there, words):
    base = knowledge.create_knowledge(client=mia.client, name="Pages", actor=mia, now=NOW)
    KnowledgeSource.objects.bulk_create(
        KnowledgeSource(
            client=mia.client, knowledge_base=base, kind="url", title="x", created_at=NOW
        )
        for _n in range(there)
    )
    typed = "\n".join(f"https://example.com/{number}" for number in range(20))
    url = f"/app/knowledge/{base.pk}/add/url/"

    refused = browse(mia).post(url, {"urls": typed})

    assert refused.status_code == 422
    assert words in refused.content.decode()
    assert "https://example.com/19" in refused.content.decode()  # to be shortened, not typed again
    assert base.sources.count() == there
    fitting = "\n".join(typed.split("\n")[: 500 - there])
    browse(mia).post(url, {"urls": fitting})
    assert base.sources.count() == 500


def test_notes_pages_that_were_added_together_in_one_line(alice):
    base = knowledge.create_knowledge(client=alice.client, name="Pages", actor=alice, now=NOW)
    pages = ["https://example.com/a", "https://example.com/b"]

    knowledge.add_urls(base=base, urls=pages, actor=alice, now=NOW)

    [row] = AuditLog.objects.filter(action="knowledge.source_added")
    assert row.details == {"kind": "url", "titles": pages}


def test_refuses_sixty_megabytes_by_name():
    class Big(io.BytesIO):
        name, size = "menu.pdf", 60 * MB

    upload = UploadedFile(file=Big(b"%PDF"), name="menu.pdf", size=60 * MB)
    form = FileSourceForm({}, {"file": upload})

    assert not form.is_valid()
    assert "60 MB" in str(form.errors)


@pytest.mark.parametrize("path", ["", "add/text/", "index/", "revise/", "use/", "archive/", "ask/"])
def test_hides_another_clients_knowledge(browse, charlie, base, path):
    browser, url = browse(charlie), f"/app/knowledge/{base.pk}/{path}"

    assert (browser.post(url) if path else browser.get(url)).status_code == 404


def test_lets_viewers_only_look(browse, vera, base):
    browser, url = browse(vera), f"/app/knowledge/{base.pk}/"

    assert "Add a text" not in browser.get(url).content.decode()
    assert browser.post(f"{url}index/").status_code == 403
    assert browser.get("/app/knowledge/new/").status_code == 403


def test_refuses_another_clients_base_in_the_wizard(browse, charlie, alice, base, retell):
    index(base, alice)
    campaign = make_draft(charlie.client)

    answer = browse(charlie).post(
        f"/app/campaigns/{campaign.pk}/edit/knowledge/",
        {"shared_base": str(base.pk), "knowledge_text": ""},
    )

    assert answer.status_code == 422
    assert Campaign.objects.get().shared_base_id is None


def test_asks_as_many_queries_for_twenty_as_for_one(browse, alice, django_assert_num_queries):
    browser = browse(alice)
    for number in range(20):
        knowledge.create_knowledge(client=alice.client, name=f"Base {number}", actor=alice, now=NOW)
        if number in {0, 19}:
            browser.get("/app/knowledge/")
            with django_assert_num_queries(4):
                browser.get("/app/knowledge/")


def test_reads_the_pages_of_a_version_again_as_its_next_version(
    browse, mia, vera, retell, run_jobs, django_capture_on_commit_callbacks
):
    base = knowledge.create_knowledge(client=mia.client, name="Hours", actor=mia, now=NOW)
    knowledge.add_urls(base=base, urls=["https://acme.test/hours"], actor=mia, now=NOW)
    knowledge.request_index(base=base, auto_refresh=True, actor=mia, now=NOW)
    jobs.index_knowledge(base_id=str(base.pk))
    path = f"/app/knowledge/{base.pk}/"
    browser = browse(mia)
    assert "Read the pages again" in browser.get(path).content.decode()
    assert browse(vera).post(f"{path}refresh/").status_code == 403

    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(f"{path}refresh/")
    run_jobs()

    made = KnowledgeBase.objects.get(family_id=base.family_id, number=2)
    assert answer["Location"] == f"/app/knowledge/{made.pk}/"
    assert (made.status, made.auto_refresh) == ("complete", True)
    assert [one.url for one in made.sources.all()] == ["https://acme.test/hours"]
    assert KnowledgeBase.objects.get(pk=base.pk).is_current  # until somebody uses the new one
    knowledge.start_version(base=made, actor=mia, now=NOW)
    told = browser.post(f"{path}refresh/", follow=True).content.decode()
    assert "being written already" in told
    assert KnowledgeBase.objects.filter(family_id=base.family_id).count() == 3


def test_looks_at_every_version_for_what_is_superseded(alice, monkeypatch):
    monkeypatch.setattr(indexing, "CHUNK", 2)
    for number in range(5):
        base = KnowledgeBase.objects.create(
            client=alice.client,
            name=f"Facts {number}",
            status="complete",
            provider_id=f"kb_{number}",
            created_at=NOW,
        )
        if number < 4:
            campaign = make_draft(alice.client, name=f"C {number}")
            Campaign.objects.filter(pk=campaign.pk).update(knowledge_base=base)

    assert [one.provider_id for one in indexing.superseded(now=NOW)] == ["kb_4"]


def test_forgets_what_went_wrong_once_it_is_indexed(browse, alice, base, retell):
    retell.fail("create_knowledge_base", Unavailable("Connection refused."))
    assert "can't be reached" in index(base, alice).error

    jobs.index_knowledge(base_id=str(base.pk))

    base.refresh_from_db()
    assert (base.status, base.error) == ("complete", "")
    page = browse(alice).get(f"/app/knowledge/{base.pk}/").content.decode()
    assert "be reached just now" not in page
