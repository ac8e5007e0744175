"""What Retell offers to choose from in an agent's settings, with the words people read."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

LANGUAGES = (
    ("en-US", _("English (United States)")),
    ("en-GB", _("English (United Kingdom)")),
    ("en-AU", _("English (Australia)")),
    ("en-IN", _("English (India)")),
    ("en-NZ", _("English (New Zealand)")),
    ("es-ES", _("Spanish (Spain)")),
    ("es-419", _("Spanish (Latin America)")),
    ("pt-BR", _("Portuguese (Brazil)")),
    ("pt-PT", _("Portuguese (Portugal)")),
    ("fr-FR", _("French (France)")),
    ("fr-CA", _("French (Canada)")),
    ("de-DE", _("German")),
    ("it-IT", _("Italian")),
    ("nl-NL", _("Dutch (Netherlands)")),
    ("nl-BE", _("Dutch (Belgium)")),
    ("pl-PL", _("Polish")),
    ("af-ZA", _("Afrikaans")),
    ("ar-SA", _("Arabic")),
    ("hy-AM", _("Armenian")),
    ("az-AZ", _("Azerbaijani")),
    ("bs-BA", _("Bosnian")),
    ("bg-BG", _("Bulgarian")),
    ("yue-CN", _("Cantonese")),
    ("ca-ES", _("Catalan")),
    ("zh-CN", _("Chinese (Mandarin)")),
    ("hr-HR", _("Croatian")),
    ("cs-CZ", _("Czech")),
    ("da-DK", _("Danish")),
    ("fil-PH", _("Filipino")),
    ("fi-FI", _("Finnish")),
    ("gl-ES", _("Galician")),
    ("el-GR", _("Greek")),
    ("he-IL", _("Hebrew")),
    ("hi-IN", _("Hindi")),
    ("hu-HU", _("Hungarian")),
    ("is-IS", _("Icelandic")),
    ("id-ID", _("Indonesian")),
    ("ja-JP", _("Japanese")),
    ("kn-IN", _("Kannada")),
    ("kk-KZ", _("Kazakh")),
    ("ko-KR", _("Korean")),
    ("lv-LV", _("Latvian")),
    ("lt-LT", _("Lithuanian")),
    ("mk-MK", _("Macedonian")),
    ("ms-MY", _("Malay")),
    ("mr-IN", _("Marathi")),
    ("ne-NP", _("Nepali")),
    ("no-NO", _("Norwegian")),
    ("fa-IR", _("Persian")),
    ("ro-RO", _("Romanian")),
    ("ru-RU", _("Russian")),
    ("sr-RS", _("Serbian")),
    ("sk-SK", _("Slovak")),
    ("sl-SI", _("Slovenian")),
    ("sw-KE", _("Swahili")),
    ("sv-SE", _("Swedish")),
    ("ta-IN", _("Tamil")),
    ("th-TH", _("Thai")),
    ("tr-TR", _("Turkish")),
    ("uk-UA", _("Ukrainian")),
    ("ur-IN", _("Urdu")),
    ("vi-VN", _("Vietnamese")),
    ("cy-GB", _("Welsh")),
)

# What a tier is called at Retell; the standard one is Retell's own default.
MODELS: dict[str, str | None] = {
    "economy": "gpt-5.4-nano",
    "standard": None,
    "strongest": "gpt-6-sol",
}
MODEL_TIERS = (
    ("economy", _("Economy: cheapest, for short and simple talks")),
    ("standard", _("Standard: what Retell recommends")),
    ("strongest", _("Strongest: for many rules and hard questions, dearest by the minute")),
)
ANALYSIS_TIERS = (
    ("economy", _("Economy")),
    ("standard", _("Standard: what Retell recommends")),
    ("strongest", _("Strongest: for answers that stand between the lines")),
)
AMBIENT_SOUNDS = (
    ("", _("None")),
    ("call-center", _("Call centre")),
    ("coffee-shop", _("Coffee shop")),
    ("convention-hall", _("Convention hall")),
    ("summer-outdoor", _("Outdoors in summer")),
    ("mountain-outdoor", _("Outdoors in the mountains")),
    ("static-noise", _("Static noise")),
)
DENOISING = (
    ("no-denoise", _("Off")),
    ("noise-cancellation", _("Noise")),
    ("noise-and-background-speech-cancellation", _("Noise and other voices (costs extra)")),
)
LISTENING = (
    ("fast", _("Fast")),
    ("accurate", _("Accurate, a little slower")),
    ("custom", _("By the provider chosen below")),
)
LISTENERS = (
    ("azure", "Azure"),
    ("deepgram", "Deepgram"),
    ("soniox", "Soniox"),
    ("assemblyai", "AssemblyAI"),
    ("muse", _("Muse (finds the pauses itself)")),
)
STARTS = (
    ("agent", _("The agent, as soon as somebody answers")),
    ("user", _("The person: the agent waits for their first word")),
)
VOCABULARIES = (("general", _("General")), ("medical", _("Medical (English alone)")))
MANNERS = (
    ("high_empathy", _("Shows much understanding")),
    ("natural_filler_words", _("Uses small words such as “well” and “so”")),
    ("echo_verification", _("Repeats names and numbers to make sure")),
    ("smart_matching", _("Takes near matches of names and words")),
    ("speech_normalization", _("Speaks numbers, dates and money as people do")),
    ("nato_phonetic_alphabet", _("Spells with Alpha, Bravo, Charlie")),
    ("customer_support", _("Has a personality: helpful, as in customer support")),
    ("conversational", _("Has a personality: chatty, as in a talk between friends")),
)
# Voice models by the provider whose voices they speak.
VOICE_MODELS = {
    "elevenlabs": (
        "eleven_flash_v2",
        "eleven_flash_v2_5",
        "eleven_multilingual_v2",
        "eleven_v3",
        "eleven_v3_conversational",
        "eleven_v4",
        "eleven_v4_turbo",
    ),
    "cartesia": ("sonic-3", "sonic-3-latest", "sonic-3.5", "sonic-3.6"),
    "openai": ("tts-1", "gpt-4o-mini-tts"),
    "minimax": ("speech-02-turbo", "speech-2.8-turbo"),
    "fish_audio": ("s1", "s2-pro", "s2.1-pro"),
    "inworld": ("inworld-tts-2", "inworld-tts-2-flash"),
}
