"""Whether an opening says that an AI is calling, in the words that its language has for it."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# What "AI" is abbreviated to besides: capitals, since "ai" is a word of French and Italian.
_SHORT: Final[dict[str, str]] = {
    **dict.fromkeys(("ca", "es", "fr", "gl", "it", "pt", "ro"), "IA"),
    **dict.fromkeys(("da", "de", "no"), "KI"),
    **dict.fromkeys(("bs", "cs", "hr", "sk", "sl", "sr"), "UI"),
    "af": "KI",
    "bg": "ИИ",
    "fil": "AI",
    "hu": "MI",
    "lt": "DI",
    "lv": "MI",
    "mk": "ВИ",
    "pl": "SI",
    "ru": "ИИ",
    "tr": "YZ",
    "uk": "ШІ",
}
_ROBOT: Final = r"(?:chat|voice)?bots?|robots?"
_WORDS: Final[dict[str, str]] = {
    "af": r"kunsmatige intelligensie|virtuele assistent",
    "ar": r"ذكاء (?:ال)?[اإ]صطناعي|الذكاء الاصطناعي|مساعدة? (?:افتراضي|آلي|رقمي)|روبوت",
    "az": r"süni intellekt\w*|virtual köməkçi\w*",
    "bg": r"изкуствен\w* интелект\w*|виртуал\w+ (?:асистент|помощни)\w*|робот\w*",
    "bs": r"umjetn\w+ inteligencij\w+|vještačk\w+ inteligencij\w+|virtualn\w+ (?:asistent|pomoćni)\w*",
    "ca": r"intel·ligència artificial|assistent\w* (?:virtual|digital|automàti\w+)",
    "cs": r"uměl\w+ inteligenc\w+|(?:virtuální|digitální|automatick\w+|hlasov\w+) (?:asistent|systém|hlas)\w*",
    "cy": r"deallusrwydd artiffisial|cynorthwyydd rhithwir",
    "da": r"kunstig intelligens|(?:virtuel|digital|automatisk)\w* (?:assistent|opkald|stemme)\w*",
    "de": r"künstliche\w* intelligenz|sprachassistent\w*|"
    r"(?:virtuell|digital|automatis|künstlich)\w*(?: \w+)? (?:\w*assisten|agent|stimme|anruf|system)\w*|roboter\w*",
    "el": r"τεχνητ\w+ νοημοσύν\w+|(?:εικονικ|ψηφιακ)\w+ βοηθ\w+|ρομπότ",
    "en": r"artificial intelligence|"
    r"(?:automated|automatic|virtual|digital|computer)(?: \w+)? "
    r"(?:assistant|agent|caller|call|voice|system|receptionist|representative|helper)s?",
    "es": r"inteligencia artificial|"
    r"(?:asistente|agente|recepcionista|sistema|voz|llamada)(?: \w+)? (?:virtual|digital|autom[áa]tic\w+|automatizad\w+)",
    "fa": r"هوش مصنوعی|دستیار (?:مجازی|هوشمند|صوتی)|ربات",
    "fi": r"tekoäly\w*|(?:virtuaali|digi|ääni)\w*avustaja\w*|robotti\w*|botti\w*",
    "fil": r"artificial intelligence|virtual assistant",
    "fr": r"intelligence artificielle|"
    r"(?:assistant|agent|conseill|système|voix|appel)\w*(?: \w+)? (?:virtuel|numérique|automati|vocal)\w*",
    "gl": r"intelixencia artificial|asistente (?:virtual|dixital)",
    "he": r"בינה מלאכותית|עוזר\w* (?:וירטואלי|דיגיטלי)\w*|רובוט",
    "hi": r"कृत्रिम बुद्धि|आर्टिफ़?िशियल इंटेलिजेंस|एआई|वर्चुअल (?:असिस्टेंट|सहायक)|रोबोट",
    "hr": r"umjetn\w+ inteligencij\w+|(?:virtualn|digitaln)\w+ (?:asistent|pomoćni)\w*",
    "hu": r"mesterséges intelligenci\w+|(?:virtuális|digitális|automata) (?:asszisztens|hang|rendszer)\w*",
    "hy": r"արհեստական բանական|վիրտուալ օգնական",
    "id": r"kecerdasan (?:buatan|artifisial)|asisten (?:virtual|digital)",
    "is": r"gervigreind\w*|stafræn\w+ aðstoð\w*",
    "it": r"intelligenza artificiale|"
    r"(?:assistente|agente|sistema|voce|chiamata|operatore)(?: \w+)? (?:virtual|digital|vocal|automati\w+|automatizzat)\w*",
    "ja": r"人工知能|自動音声|バーチャル|ロボット|ボット",
    "kk": r"жасанды интеллект\w*|виртуалды көмекші\w*|робот\w*",
    "kn": r"ಕೃತಕ ಬುದ್ಧಿಮತ್ತೆ|ಎಐ",
    "ko": r"인공\s?지능|가상\s?(?:비서|상담원|도우미)|챗봇|로봇|자동\s?음성",
    "lt": r"dirbtin\w+ intelekt\w*|(?:virtual|skaitmenin)\w+ (?:asistent|padėjėj)\w*|robot\w*",
    "lv": r"mākslīg\w+ intelekt\w*|(?:virtuāl|digitāl)\w+ (?:asistent|palīg)\w*|robot\w*",
    "mk": r"вештачк\w+ интелигенциј\w+|виртуел\w+ асистент\w*|робот\w*",
    "mr": r"कृत्रिम बुद्धिमत्ता|एआय|व्हर्च्युअल (?:असिस्टंट|सहाय्यक)",
    "ms": r"kecerdasan buatan|pembantu (?:maya|digital)",
    "ne": r"कृत्रिम बुद्धि|एआई",
    "nl": r"kunstmatige intelligentie|"
    r"(?:virtuele|digitale|geautomatiseerde?|automatische?)(?: \w+)? (?:\w*assistent|medewerker|stem|oproep|systeem)\w*",
    "no": r"kunstig intelligens|(?:virtuell|digital|automatisk)\w* (?:assistent|samtale|stemme)\w*",
    "pl": r"sztuczn\w+ inteligencj\w+|"
    r"(?:wirtualn|cyfrow|automatyczn|głosow)\w+ (?:asystent|agent|system|głos|połączeni)\w*|robot\w*",
    "pt": r"inteligência artificial|"
    r"(?:assistente|agente|atendente|sistema|voz|chamada|ligação)(?: \w+)? (?:virtual|digital|automátic\w+|automatizad\w+)|robô",
    "ro": r"inteligenț\w+ artificial\w+|asistent\w* (?:virtual|digital)\w*",
    "ru": r"искусственн\w+ интеллект\w*|"
    r"(?:виртуальн|цифров|голосов|автоматическ)\w+ (?:помощни|ассистент|систем|звон)\w*|робот\w*|бот\w?",
    "sk": r"umel\w+ inteligenci\w+|(?:virtuáln|digitáln|automatick|hlasov)\w+ (?:asistent|systém|hlas)\w*",
    "sl": r"umetn\w+ inteligenc\w+|(?:virtualn|digitaln)\w+ (?:asistent|pomočni)\w*",
    "sr": r"veštačk\w+ inteligencij\w+|вештачк\w+ интелигенциј\w+|(?:virtueln|виртуелн)\w+ (?:asistent|асистент)\w*",
    "sv": r"artificiell intelligens|(?:virtuell|digital|automatisk|automatiserad)\w* (?:assistent|röst|samtal)\w*",
    "sw": r"akili (?:bandia|mnemba)|msaidizi wa kidijitali",
    "ta": r"செயற்கை நுண்ணறிவு|ஏஐ",
    "th": r"ปัญญาประดิษฐ์|เอไอ|ผู้ช่วยเสมือน|หุ่นยนต์",
    "tr": r"yapay zek[aâ]\w*|(?:sanal|dijital|otomatik) (?:asistan|sistem|arama)\w*|robot\w*",
    "uk": r"штучн\w+ інтелект\w*|(?:віртуальн|цифров|голосов)\w+ (?:помічни|асистент)\w*|робот\w*|бот\w?",
    "ur": r"مصنوعی ذہانت|روبوٹ",
    "vi": r"trí tuệ nhân tạo|trợ lý (?:ảo|số)",
    "yue": r"人工智[能慧]|虛擬助[手理]|語音助[手理]|機[器械]人",
    "zh": r"人工智[能慧]|虚拟助[手理]|语音助[手理]|智能(?:助[手理]|语音|客服)|机器人",
}  # fmt: skip
# Their words stand side by side without blanks, or carry endings and articles that `\w` doesn't tell.
_RUN_ON: Final = frozenset({"ar", "fa", "he", "hi", "hy", "ja", "kn", "ko", "mr", "ne", "ta", "th", "ur", "yue", "zh"})  # fmt: skip


def says_ai(text: str, languages: Iterable[str]) -> bool:
    """Tell whether a text says in one of these languages ("en-US") that an AI or a machine speaks."""
    plain = " ".join(text.split())
    return any(
        _short(code).search(plain) or _words(code).search(plain)
        for code in {one.partition("-")[0] for one in languages}
    )


@cache
def _short(code: str) -> re.Pattern[str]:
    names = {"AI", _SHORT.get(code, "AI")}
    dotted = "|".join(r"\.?".join(name) for name in sorted(names))
    # A letter of its own script may follow at once: "AIアシスタント".
    return re.compile(rf"(?<![^\W_])(?:{dotted})(?![A-Za-z0-9À-ɏЀ-ӿ])")


@cache
def _words(code: str) -> re.Pattern[str]:
    words = f"{_WORDS[code]}|{_ROBOT}"
    bounded = words if code in _RUN_ON else rf"(?<!\w)(?:{words})(?!\w)"
    return re.compile(bounded, re.IGNORECASE)
